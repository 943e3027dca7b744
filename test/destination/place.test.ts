import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { doPlacesOverlap, isSamePlace } from '../../src/destination/place.ts'
import { temporaryFolder } from '../support/mounted.ts'

test('buckets go by their text', (t) => {
  t.true(isSamePlace('s3://bucket/a', 's3://bucket/a'))
  t.false(isSamePlace('s3://bucket/a', 's3://bucket'))
  t.true(doPlacesOverlap('s3://bucket/a', 's3://bucket'))
  t.true(doPlacesOverlap('s3://bucket', 's3://bucket/a'))
  t.false(doPlacesOverlap('s3://bucket/a', 's3://bucket/ab'))
  t.false(doPlacesOverlap('s3://bucket', '/'))
})

test('folders go by what they are', async (t) => {
  await using folder = await temporaryFolder()
  const at = (...path: string[]): string => join(folder.path, ...path)
  await mkdir(at('real/web'), { recursive: true })
  await symlink('real', at('link'))
  t.true(isSamePlace(at('real/web'), at('link/web')))
  t.false(isSamePlace(at('real'), at('link/web')))
  for (const [one, other] of [
    ['link', 'real'],
    ['link/web', 'real'],
    ['link', 'real/web'],
  ] as const) {
    t.true(doPlacesOverlap(at(one), at(other)))
    t.true(doPlacesOverlap(at(other), at(one)))
  }
  t.false(doPlacesOverlap(at('link/web'), at('real/mail')))
  t.true(doPlacesOverlap('/', at('link')))
})

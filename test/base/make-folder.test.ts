import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { makeFolder } from '../../src/base/make-folder.ts'
import { temporaryFolder } from '../support/mounted.ts'

test('a folder is made with those above it, or is there already', async (t) => {
  await using folder = await temporaryFolder()
  const inner = join(folder.path, 'a/b/c')
  makeFolder(inner)
  t.is(statSync(inner).mode & 0o777, 0o700)
  mkdirSync(join(inner, 'd'), { mode: 0o755 })
  makeFolder(join(inner, 'd'))
  t.is(statSync(join(inner, 'd')).mode & 0o777, 0o755)
})

test('where there can be none that is told, and does not take for ever', async (t) => {
  await using folder = await temporaryFolder()
  writeFileSync(join(folder.path, 'file'), '')
  t.throws(() => makeFolder(join(folder.path, 'file/b')), { code: 'ENOTDIR' })
  t.throws(() => makeFolder('/proc/none/b'), { code: 'ENOENT' })
})

import test from 'ava'
import { type LookProgress, lookAtLifecycle } from '../../../src/destination/lifecycle/look.ts'
import { refusalsOf } from '../../../src/destination/lifecycle/report.ts'
import { StoreError, type StoreErrorCode } from '../../../src/store/errors.ts'
import type { BucketReader } from '../../../src/store/s3-bucket.ts'

const refuse = (code: StoreErrorCode) => () => Promise.reject(new StoreError(code, `no: ${code}`))

/** A bucket with nothing in it, but for what a test says. */
function bucketWith(some: Partial<BucketReader>): BucketReader {
  const nothing = { entries: 0, noncurrentVersions: 0, noncurrentBytes: 0, deleteMarkers: 0 }
  return {
    description: 's3://b/web',
    versioning: async () => 'enabled',
    lifecycle: async () => ({ rules: [], transitionMinimum: undefined, server: '' }),
    versions: async () => ({ ...nothing, next: undefined }),
    uploads: async () => ({ uploads: [], next: undefined }),
    uploadedBytes: async () => 0,
    [Symbol.dispose]() {},
    ...some,
  }
}

test('pages are added up, each asked for behind the one before', async (t) => {
  const asked: unknown[] = []
  const progress: LookProgress[] = []
  const bucket = bucketWith({
    async versions({ prefix, after }) {
      asked.push([prefix, after])
      const page = Number(after?.id ?? 0)
      const next = page < 2 ? { key: 'k', id: String(page + 1) } : undefined
      return { entries: 10, noncurrentVersions: 4, noncurrentBytes: 40, deleteMarkers: 1, next }
    },
    async uploads({ after }) {
      const initiated = after === undefined ? 2000 : 1000
      const next = after === undefined ? { key: 'web/a', id: 'u' } : undefined
      return { uploads: [{ key: 'web/a', id: `${initiated}`, initiated }], next }
    },
    uploadedBytes: async ({ id }) => Number(id),
  })
  const { versions, uploads } = await lookAtLifecycle(bucket, {
    prefix: 'web/',
    onProgress: (state) => progress.push({ ...state }),
  })
  t.deepEqual(versions, {
    kind: 'found',
    value: { noncurrentVersions: 12, noncurrentBytes: 120, deleteMarkers: 3 },
  })
  t.deepEqual(uploads, { kind: 'found', value: { uploads: 2, bytes: 3000, oldest: 1000 } })
  t.deepEqual(asked, [
    ['web/', undefined],
    ['web/', { key: 'k', id: '1' }],
    ['web/', { key: 'k', id: '2' }],
  ])
  t.deepEqual(progress.at(-1), { versions: 30, uploads: 2 })
})

test('a bucket that never had versions is not listed for them', async (t) => {
  const bucket = bucketWith({ versioning: async () => 'never', versions: () => t.fail() as never })
  const { versions } = await lookAtLifecycle(bucket, { prefix: 'web/' })
  t.like(versions, { kind: 'found', value: { noncurrentVersions: 0 } })
})

test('uploads below the prefix are found at a server that takes it for a whole key', async (t) => {
  const bucket = bucketWith({
    uploads: async ({ prefix }) => ({
      uploads:
        prefix === '' ? ['web/a', 'webx/b', 'web/gone'].map((key) => ({ key, id: key, initiated: 5 })) : [],
      next: undefined,
    }),
    uploadedBytes: async ({ key }) => (key === 'web/gone' ? undefined : 7),
  })
  const { uploads } = await lookAtLifecycle(bucket, { prefix: 'web/' })
  t.deepEqual(uploads, { kind: 'found', value: { uploads: 1, bytes: 7, oldest: 5 } })
})

test('what is refused or not known hides nothing else', async (t) => {
  const bucket = bucketWith({
    versioning: refuse('access-denied'),
    lifecycle: refuse('access-denied'),
    uploads: async () => undefined,
  })
  const findings = await lookAtLifecycle(bucket, { prefix: 'web/' })
  t.deepEqual(
    Object.values(findings).map(({ kind }) => kind),
    ['refused', 'refused', 'unknown', 'found'],
  )
  t.is(refusalsOf(findings).length, 2)
})

test('who cannot be reached, or refuses everything, is an error', async (t) => {
  const asked = t.fail as never
  const unreachable = bucketWith({
    versioning: refuse('timeout'),
    lifecycle: asked,
    uploads: asked,
    versions: asked,
  })
  await t.throwsAsync(lookAtLifecycle(unreachable, { prefix: '' }), { code: 'timeout' })
  const no = refuse('access-denied')
  const closed = bucketWith({ versioning: no, lifecycle: no, uploads: no, versions: no })
  await t.throwsAsync(lookAtLifecycle(closed, { prefix: '' }), { code: 'access-denied' })
})

test('a fault of jbfs itself is no finding', async (t) => {
  const bucket = bucketWith({ lifecycle: () => Promise.reject(new TypeError('oops')) })
  await t.throwsAsync(lookAtLifecycle(bucket, { prefix: '' }), { instanceOf: TypeError })
})

test('rules that are not asked for are not known, and why', async (t) => {
  const bucket = bucketWith({ lifecycle: () => t.fail() as never })
  const { rules } = await lookAtLifecycle(bucket, { prefix: '', withoutRules: 'another form' })
  t.deepEqual(rules, { kind: 'unknown', why: 'another form' })
})

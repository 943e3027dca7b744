import test from 'ava'
import { StoreError, type StoreErrorCode, storeErrorCodes } from '../../src/store/errors.ts'
import { type ObjectStore, objectKey, type UploadToken } from '../../src/store/object-store.ts'
import { createMetrics } from '../../src/store/with-metrics.ts'
import { defaultRetryPolicy, retryDelay, withRetry } from '../../src/store/with-retry.ts'

const key = objectKey('key')
const hasty = { retries: 3, baseDelay: 1, largestDelay: 2 }

/** A store of which every request fails so often, with this code, before it is done. */
function failing(code: StoreErrorCode, times: number): { store: ObjectStore; tried: string[] } {
  const tried: string[] = []
  const attempt = (name: string): void => {
    tried.push(name)
    if (tried.filter((each) => each === name).length <= times) throw new StoreError(code, 'failing')
  }
  const metadata = { key, size: 0, etag: '""', modified: 0 }
  const store: ObjectStore = {
    description: 'failing',
    async get() {
      attempt('get')
      return { ...metadata, bytes: Buffer.alloc(0) }
    },
    async getStream() {
      attempt('getStream')
      return { ...metadata, body: (async function* () {})() }
    },
    async head() {
      attempt('head')
      return metadata
    },
    async *list() {
      attempt('list')
      yield { objects: [metadata], prefixes: [] }
    },
    async put() {
      attempt('put')
      return metadata
    },
    parts: {
      async begin() {
        attempt('begin')
        return 'upload' as UploadToken
      },
      async put() {
        attempt('part')
        return 'etag'
      },
      async complete() {
        attempt('complete')
        return metadata
      },
      async abandon() {
        attempt('abandon')
      },
    },
    async delete() {
      attempt('delete')
    },
  }
  return { store, tried }
}

const requests: Readonly<Record<string, (store: ObjectStore) => Promise<unknown>>> = {
  get: (store) => store.get(key),
  getStream: (store) => store.getStream(key),
  head: (store) => store.head(key),
  list: (store) => Array.fromAsync(store.list('')),
  put: (store) => store.put(key, Buffer.alloc(0)),
  begin: (store) => store.parts.begin(key),
  part: (store) =>
    store.parts.put(key, 'upload' as UploadToken, { number: 1, offset: 0, bytes: Buffer.alloc(0) }),
  complete: (store) => store.parts.complete(key, 'upload' as UploadToken, ['etag'], { size: 0 }),
  abandon: (store) => store.parts.abandon(key, 'upload' as UploadToken),
  delete: (store) => store.delete([key]),
}

test('the bound of a delay doubles up to the largest, and the delay is anything below it', (t) => {
  const bounds = [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => retryDelay(attempt, defaultRetryPolicy, 1))
  t.deepEqual(bounds, [100, 200, 400, 800, 1600, 3200, 5000, 5000])
  t.is(retryDelay(3, defaultRetryPolicy, 0), 0)
  t.is(retryDelay(3, defaultRetryPolicy, 0.5), 200)
  t.is(retryDelay(5000, defaultRetryPolicy, 1), 5000)
})

for (const [name, request] of Object.entries(requests))
  test(`${name} is tried again as often as the policy says, and what passes is counted`, async (t) => {
    const metrics = createMetrics()
    const { store, tried } = failing('unavailable', 3)
    await request(withRetry(store, hasty, metrics))
    t.is(tried.length, 4)
    t.is(metrics.retries, 3)
    const dead = failing('timeout', 4)
    await t.throwsAsync(request(withRetry(dead.store, hasty)), { code: 'timeout' })
    t.is(dead.tried.length, 4)
  })

test('what will not pass is not tried again', async (t) => {
  for (const code of storeErrorCodes.filter((each) => each !== 'unavailable' && each !== 'timeout'))
    for (const request of Object.values(requests)) {
      const { store, tried } = failing(code, 1)
      await t.throwsAsync(request(withRetry(store, hasty)), { code })
      t.is(tried.length, 1)
    }
})

test('a conditional put, of which nobody knows whether it was done, is not tried again', async (t) => {
  for (const condition of [{ ifNoneMatch: '*' }, { ifMatch: '"etag"' }] as const) {
    const { store, tried } = failing('unavailable', 1)
    const put = withRetry(store, hasty).put(key, Buffer.alloc(0), condition)
    await t.throwsAsync(put, { code: 'unavailable' })
    t.is(tried.length, 1)
  }
})

test('an abort ends the wait for the next try with its reason', async (t) => {
  const { store, tried } = failing('unavailable', 100)
  const controller = new AbortController()
  const patient = { retries: 100, baseDelay: 1e9, largestDelay: 1e9 }
  const reason = new Error('enough')
  const { signal } = controller
  const under = [
    withRetry(store, patient).get(key, { signal }),
    Array.fromAsync(withRetry(store, patient).list('', { signal })),
  ]
  setImmediate(() => controller.abort(reason))
  for (const each of under) await t.throwsAsync(each, { is: reason })
  t.is(tried.length, 2)
})

test('a listing that gets no further ends', async (t) => {
  const { store } = failing('unavailable', 0)
  const page = (...names: string[]) => ({
    objects: names.map((name) => ({ key: objectKey(name), size: 0, etag: '""', modified: 0 })),
    prefixes: [],
  })
  for (const pages of [[page()], [page('a'), page('b')]]) {
    let begun = 0
    const stuck: ObjectStore = {
      ...store,
      async *list() {
        begun++
        yield* pages
        throw new StoreError('unavailable', 'failing')
      },
    }
    await t.throwsAsync(Array.fromAsync(withRetry(stuck, hasty).list('')), { code: 'unavailable' })
    t.true(begun <= 1 + hasty.retries)
  }
})

test('a reader that is wrapped is still only a reader', (t) => {
  const { get, getStream, head, list } = failing('unavailable', 0).store
  const wrapped = withRetry({ description: 'reader', get, getStream, head, list })
  t.deepEqual(Object.keys(wrapped).sort(), ['description', 'get', 'getStream', 'head', 'list'])
})

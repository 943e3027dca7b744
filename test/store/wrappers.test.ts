import test from 'ava'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { StoreError } from '../../src/store/errors.ts'
import {
  eachPartRequest,
  type ObjectReader,
  type ObjectStore,
  objectKey,
} from '../../src/store/object-store.ts'
import { readOnly } from '../../src/store/read-only.ts'
import { withConcurrency } from '../../src/store/with-concurrency.ts'
import { createMetrics, withMetrics } from '../../src/store/with-metrics.ts'
import { temporaryFolder } from '../support/mounted.ts'

const key = objectKey('folder/key')

/** The store with gates: a request is counted when it begins, and ends when it is let. */
function gated(store: ObjectStore): { store: ObjectStore; begun: () => number; open: () => void } {
  let begun = 0
  const gate = Promise.withResolvers<void>()
  const passing = async <T>(work: () => Promise<T>): Promise<T> => {
    begun++
    await gate.promise
    return work()
  }
  return {
    begun: () => begun,
    open: () => gate.resolve(),
    store: {
      description: store.description,
      get: (...args) => passing(() => store.get(...args)),
      getStream: (...args) => passing(() => store.getStream(...args)),
      head: (...args) => passing(() => store.head(...args)),
      list: (...args) => store.list(...args),
      put: (...args) => passing(() => store.put(...args)),
      parts: eachPartRequest(store.parts, (request, options) => passing(() => request(options))),
      delete: (...args) => passing(() => store.delete(...args)),
    },
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('so many requests are under way and no more, and an abort gives up its place in the queue', async (t) => {
  await using folder = await temporaryFolder()
  const inner = new DirectoryStore(folder.path)
  await inner.put(key, Buffer.from('content'))
  const { store, begun, open } = gated(inner)
  const bounded = withConcurrency(store, 3)
  const controller = new AbortController()
  const reason = new Error('enough')
  const first = [bounded.get(key), bounded.head(key), bounded.put(objectKey('other'), Buffer.from('x'))]
  const aborted = bounded.get(key, { signal: controller.signal })
  const last = [bounded.getStream(key), bounded.delete([objectKey('other')])]
  await turn()
  t.is(begun(), 3)
  controller.abort(reason)
  await t.throwsAsync(aborted, { is: reason })
  t.is(begun(), 3)
  open()
  await Promise.all([...first, ...last])
  t.is(begun(), 5, 'the one that was aborted never began')
})

test('a place is given back by what fails', async (t) => {
  await using folder = await temporaryFolder()
  const bounded = withConcurrency(new DirectoryStore(folder.path), 1)
  for (let i = 0; i < 3; i++) await t.throwsAsync(bounded.get(objectKey('..')), { code: 'invalid' })
  t.is(await bounded.get(key), undefined)
})

test('requests, bytes and errors are counted', async (t) => {
  await using folder = await temporaryFolder()
  const metrics = createMetrics()
  const store = withMetrics(new DirectoryStore(folder.path), metrics)
  await store.put(key, Buffer.from('content'))
  await store.get(key)
  await store.get(key, { range: { offset: 0, length: 3 } })
  await store.get(objectKey('missing'))
  await Array.fromAsync((await store.getStream(key))?.body ?? [])
  await store.head(key)
  await Array.fromAsync(store.list(''))
  await t.throwsAsync(store.get(objectKey('..')), { code: 'invalid' })
  await t.throwsAsync(store.get(objectKey('..')), { code: 'invalid' })
  await store.delete([key])
  t.deepEqual(metrics, {
    get: 6,
    head: 1,
    list: 1,
    put: 1,
    delete: 1,
    bytesIn: 7 + 3 + 7,
    bytesOut: 7,
    retries: 0,
    errors: { invalid: 2 },
  })
})

test('of an upload by parts each request is counted, and one that is given up as a delete', async (t) => {
  await using folder = await temporaryFolder()
  const metrics = createMetrics()
  const { parts } = withMetrics(new DirectoryStore(folder.path), metrics)
  const bytes = Buffer.from('content')
  const upload = await parts.begin(key)
  const sent = await parts.put(key, upload, { number: 1, offset: 0, bytes })
  await parts.complete(key, upload, [sent], { size: bytes.length })
  t.like(metrics, { put: 3, delete: 0, bytesOut: 7 })
  await parts.abandon(key, await parts.begin(key))
  t.like(metrics, { put: 4, delete: 1, bytesOut: 7 })
})

test('that the condition of a put does not hold is an answer, and no error', async (t) => {
  await using folder = await temporaryFolder()
  const metrics = createMetrics()
  const store = withMetrics(new DirectoryStore(folder.path), metrics)
  const { etag } = await store.put(key, Buffer.from('content'))
  await t.throwsAsync(store.put(key, Buffer.from('x'), { ifNoneMatch: '*' }), { code: 'exists' })
  await t.throwsAsync(store.put(key, Buffer.from('x'), { ifMatch: '"0"' }), { code: 'changed' })
  t.deepEqual(metrics.errors, {})
  await t.throwsAsync(store.get(key, { ifMatch: '"0"' }), { code: 'changed' })
  await t.throwsAsync(store.put(objectKey('..'), Buffer.from('x'), { ifMatch: etag }), { code: 'invalid' })
  t.deepEqual(metrics.errors, { changed: 1, invalid: 1 })
})

test('of a stream what has come is counted, and of a listing the page that failed', async (t) => {
  await using folder = await temporaryFolder()
  const inner = new DirectoryStore(folder.path)
  await inner.put(key, Buffer.alloc(3 << 20))
  const metrics = createMetrics()
  const failure = new StoreError('unavailable', 'failing')
  const store = withMetrics(
    {
      ...gated(inner).store,
      getStream: (...args) => inner.getStream(...args),
      async *list(...args) {
        yield* inner.list(...args)
        throw failure
      },
    },
    metrics,
  )
  const part = await store.getStream(key, { range: { offset: 1, length: 10 } })
  await Array.fromAsync(part?.body ?? [])
  t.is(metrics.bytesIn, 10)
  for await (const piece of (await store.getStream(key))?.body ?? []) {
    t.is(metrics.bytesIn, 10 + piece.length)
    break
  }
  await t.throwsAsync(Array.fromAsync(store.list('')), { is: failure })
  t.like(metrics, { list: 2, errors: { unavailable: 1 } })
})

test('a store that is made read-only has nothing to write with, however it is wrapped', async (t) => {
  await using folder = await temporaryFolder()
  const store = new DirectoryStore(folder.path)
  await store.put(key, Buffer.from('content'))
  const reader: ObjectReader = withConcurrency(withMetrics(readOnly(store), createMetrics()), 2)
  t.deepEqual(Object.keys(reader).sort(), ['description', 'get', 'getStream', 'head', 'list'])
  t.is((await reader.get(key))?.bytes.toString(), 'content')
  t.is((await reader.head(key))?.size, 7)
  t.is((await Array.fromAsync(reader.list('')))[0]?.objects.length, 1)
  t.is(Buffer.concat(await Array.fromAsync((await reader.getStream(key))?.body ?? [])).toString(), 'content')
})

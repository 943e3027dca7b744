import test, { type ExecutionContext } from 'ava'
import type { Blob } from '../../src/cache/blob-source.ts'
import { blockMemoryDefaults } from '../../src/cache/block-memory.ts'
import { ObjectCache, type ObjectCacheOptions } from '../../src/cache/object-cache.ts'
import { readaheadDefaults } from '../../src/cache/readahead.ts'
import { StoreError } from '../../src/store/errors.ts'
import { blobOf, noise, RecordingLogger, RecordingReader, settle } from './recording-reader.ts'

const MiB = 1 << 20

/** Blocks so small that little data meets the bound. */
const smallBlocks = { readahead: { ...readaheadDefaults, blockBytes: 16_384, largestRequest: 65_536 } }

interface Prepared {
  readonly store: RecordingReader
  readonly logger: RecordingLogger
  readonly cache: ObjectCache
}

function prepare(t: ExecutionContext, options: Partial<ObjectCacheOptions> = {}): Prepared {
  const store = new RecordingReader()
  const logger = new RecordingLogger()
  const cache = new ObjectCache({ store: store.reader, logger, ...options })
  t.teardown(() => cache[Symbol.asyncDispose]())
  return { store, logger, cache }
}

async function readAll(cache: ObjectCache, blob: Blob, signal?: AbortSignal): Promise<Buffer> {
  return Buffer.concat(await cache.read(blob, { offset: 0, length: blob.size }, { signal }))
}

test('one request brings a small object, whatever is read of it, and later reads are answered at once', async (t) => {
  const { store, cache } = prepare(t)
  const bytes = noise(4 * MiB)
  const blob = store.add('a', bytes)
  const reads = [
    { offset: 5, length: 10 },
    { offset: 4 * MiB - 1, length: 1 },
    { offset: 0, length: 4 * MiB },
  ]
  for (const range of reads) {
    const pieces = await cache.read(blob, range)
    t.deepEqual(Buffer.concat(pieces), bytes.subarray(range.offset, range.offset + range.length))
  }
  t.true(Array.isArray(cache.read(blob, { offset: 7, length: 1 })), 'without a turn of the event loop')
  t.is(store.gets.length, 1)
  t.like(cache.metrics, { misses: 1, memoryHits: 3 })
})

test('a read of no bytes asks for nothing', (t) => {
  const { store, cache } = prepare(t)
  t.deepEqual(cache.read(store.add('a', noise(10)), { offset: 10, length: 0 }), [])
  t.deepEqual(cache.read(store.add('empty', noise(0)), { offset: 0, length: 0 }), [])
  t.is(store.gets.length, 0)
})

test('readers of one object share its request', async (t) => {
  const { store, cache } = prepare(t)
  const blob = store.add('a', noise(1000))
  store.hold()
  const readings = Array.from({ length: 5 }, () => readAll(cache, blob))
  await settle()
  t.is(store.gets.length, 1)
  store.release()
  for (const bytes of await Promise.all(readings)) t.deepEqual(bytes, noise(1000))
})

test('a reader that leaves does not disturb the others, and the last one takes the request along', async (t) => {
  const { store, cache } = prepare(t)
  const blob = store.add('a', noise(1000))
  store.hold()
  const controllers = [new AbortController(), new AbortController()]
  const [first, second] = controllers.map(({ signal }) => readAll(cache, blob, signal)) as [
    Promise<Buffer>,
    Promise<Buffer>,
  ]
  await settle()
  const reason = new Error('interrupted')
  controllers[0]?.abort(reason)
  await t.throwsAsync(first, { is: reason })
  t.false(store.gets[0]?.signal.aborted)
  controllers[1]?.abort(reason)
  await t.throwsAsync(second, { is: reason })
  t.true(store.gets[0]?.signal.aborted)
  store.release()
  t.deepEqual(await readAll(cache, blob), noise(1000), 'a later reader begins anew')
  t.is(store.gets.length, 2)
})

test('a reader that comes when the last one has just left does not get its failure', async (t) => {
  const { store, cache } = prepare(t)
  const blob = store.add('a', noise(1000))
  store.hold()
  const controller = new AbortController()
  const first = readAll(cache, blob, controller.signal)
  await settle()
  controller.abort()
  const second = readAll(cache, blob)
  await t.throwsAsync(first, { name: 'AbortError' })
  store.release()
  t.deepEqual(await second, noise(1000))
})

test('a signal that has aborted already asks for nothing', async (t) => {
  const { store, cache } = prepare(t)
  await t.throwsAsync(readAll(cache, store.add('a', noise(10)), AbortSignal.abort()), { name: 'AbortError' })
  t.is(store.gets.length, 0)
})

test('an object with other bytes is fetched once more, refused, and never kept', async (t) => {
  const { store, logger, cache } = prepare(t)
  const blob = store.add('a', noise(1000))
  store.objects.set('a', noise(1000, 2))
  for (let i = 1; i <= 2; i++) {
    await t.throwsAsync(readAll(cache, blob), {
      name: 'CacheError',
      code: 'corrupt',
      message: /a in recorded/,
    })
    t.is(store.gets.length, 2 * i)
    t.is(cache.metrics.bytesHeld, 0)
  }
  t.is(logger.lines.length, 1, 'the log names it once')
  t.like(logger.lines[0], { level: 'error', fields: { object: 'a' } })
  store.objects.set('a', noise(1000))
  t.deepEqual(await readAll(cache, blob), noise(1000), 'once it has been put right it can be read')
  store.objects.set('a', noise(1000, 2))
  t.is(cache.metrics.corrupt, 2)
})

test('bytes that were mangled on the way only cost another request', async (t) => {
  const { store, logger, cache } = prepare(t)
  const blob = store.add('a', noise(1000))
  store.tamper = (_, bytes) => (store.gets.length === 1 ? Buffer.alloc(bytes.length) : bytes)
  t.deepEqual(await readAll(cache, blob), noise(1000))
  t.deepEqual(logger.lines, [])
})

for (const size of [0, 1, 999, 1001, 100_000])
  test(`an object of ${size} bytes instead of 1000 is refused, and no more of it fetched`, async (t) => {
    const { store, cache } = prepare(t)
    const blob = blobOf('a', noise(1000))
    store.objects.set('a', noise(size))
    await t.throwsAsync(readAll(cache, blob), { code: 'corrupt' })
    for (const { range } of store.gets) t.deepEqual(range, { offset: 0, length: 1000 })
  })

test('an object that is missing is said to be, each time', async (t) => {
  const { store, cache } = prepare(t)
  const blob = blobOf('a', noise(10))
  for (let i = 1; i <= 2; i++) {
    await t.throwsAsync(readAll(cache, blob), {
      name: 'CacheError',
      code: 'missing',
      message: /a is missing in recorded/,
    })
    t.is(store.gets.length, i)
  }
})

test('what the store says is passed on, and the next read asks again', async (t) => {
  const { store, cache } = prepare(t)
  const blob = store.add('a', noise(10))
  store.tamper = () => {
    throw new StoreError('access-denied', 'no')
  }
  await t.throwsAsync(readAll(cache, blob), { name: 'StoreError', code: 'access-denied' })
  store.tamper = undefined
  t.deepEqual(await readAll(cache, blob), noise(10))
})

test('two indexes that expect different bytes under one key are not mixed up', async (t) => {
  const { store, cache } = prepare(t)
  const right = store.add('a', noise(1000))
  const wrong = blobOf('a', noise(1000, 2))
  t.deepEqual(await readAll(cache, right), noise(1000))
  await t.throwsAsync(readAll(cache, wrong), { code: 'corrupt' })
  t.deepEqual(await readAll(cache, right), noise(1000))
})

test('what has been read the longest ago goes first, and the bound is kept', async (t) => {
  const memoryBytes = 256 << 10
  const { store, cache } = prepare(t, { memoryBytes, ...smallBlocks })
  const blobs = Array.from({ length: 40 }, (_, i) => store.add(`${i}`, noise(10_000, i + 1)))
  for (const blob of blobs) {
    await readAll(cache, blob)
    t.true(cache.metrics.bytesHeld <= memoryBytes)
  }
  await readAll(cache, blobs[39] as Blob)
  t.is(store.gets.filter(({ key }) => key === '39').length, 1)
  await readAll(cache, blobs[0] as Blob)
  t.is(store.gets.filter(({ key }) => key === '0').length, 2)
})

test('what somebody has read only a part of stays as long as there is room', async (t) => {
  const { store, cache } = prepare(t, { memoryBytes: 256 << 10, ...smallBlocks })
  const begun = store.add('begun', noise(10_000))
  await cache.read(begun, { offset: 0, length: 5000 })
  for (let i = 0; i < 40; i++) await readAll(cache, store.add(`${i}`, noise(10_000, i + 2)))
  t.true(Array.isArray(cache.read(begun, { offset: 5000, length: 5000 })))
})

test('what is on its way counts too: when all of the memory is in use, only a few more are asked for at a time', async (t) => {
  const { store, cache } = prepare(t, { memoryBytes: 64 << 10, ...smallBlocks })
  const blobs = Array.from({ length: 40 }, (_, i) => store.add(`${i}`, noise(16_000, i + 1)))
  store.hold()
  const readings = blobs.map((blob) => readAll(cache, blob))
  for (let i = 0; i < 50; i++) await settle()
  t.is(store.gets.length, 4 + blockMemoryDefaults.withoutRoom)
  store.release()
  for (const [i, bytes] of (await Promise.all(readings)).entries()) t.deepEqual(bytes, noise(16_000, i + 1))
  t.is(store.gets.length, 40)
})

test('pieces that are not lent stay what they are while their memory is used again', async (t) => {
  const { store, cache } = prepare(t, { memoryBytes: 64 << 10, ...smallBlocks })
  const pieces = await cache.read(store.add('kept', noise(10_000)), { offset: 0, length: 10_000 })
  for (let i = 0; i < 40; i++) await readAll(cache, store.add(`${i}`, noise(10_000, i + 2)))
  t.deepEqual(Buffer.concat(pieces), noise(10_000))
})

test('an object larger than all of the memory can be read all the same', async (t) => {
  const { store, cache } = prepare(t, { memoryBytes: 1000 })
  const blobs = [store.add('a', noise(5000)), store.add('b', noise(5000))]
  for (const bytes of await Promise.all(blobs.map((blob) => readAll(cache, blob))))
    t.deepEqual(bytes, noise(5000))
  t.is(cache.metrics.bytesHeld, 0)
})

test('prefetched objects come in their order, are read without a request, and fetched once', async (t) => {
  const { store, cache } = prepare(t)
  const blobs = Array.from({ length: 10 }, (_, i) => store.add(`${i}`, noise(100, i + 1)))
  t.is(cache.prefetch(blobs), 10)
  t.is(cache.prefetch(blobs), 10, 'they are on their way')
  await settle()
  t.deepEqual(
    store.gets.map(({ key }) => key),
    blobs.map(({ key }) => key as string),
  )
  for (const blob of blobs) t.true(Array.isArray(cache.read(blob, { offset: 0, length: 100 })))
  t.is(store.gets.length, 10)
  t.like(cache.metrics, { prefetched: 10, prefetchWasted: 0 })
})

test('a reader joins a prefetch, and its leaving does not end it', async (t) => {
  const { store, cache } = prepare(t)
  const blob = store.add('a', noise(100))
  store.hold()
  cache.prefetch([blob])
  await settle()
  const controller = new AbortController()
  const reading = readAll(cache, blob, controller.signal)
  await settle()
  controller.abort()
  await t.throwsAsync(reading, { name: 'AbortError' })
  t.false(store.gets[0]?.signal.aborted)
  store.release()
  t.deepEqual(await readAll(cache, blob), noise(100))
  t.is(store.gets.length, 1)
})

test('at most 64 prefetches are under way, 512 more accepted, and a reader overtakes them', async (t) => {
  const { store, cache } = prepare(t)
  const blobs = Array.from({ length: 1000 }, (_, i) => store.add(`${i}`, noise(100, i + 1)))
  store.hold()
  t.is(cache.prefetch(blobs), 512)
  await settle()
  t.is(store.gets.length, 64)
  t.is(cache.prefetch(blobs), 512 + 64)
  const last = blobs[575] as Blob
  const reading = readAll(cache, last)
  await settle()
  t.is(store.gets.length, 65)
  store.release()
  await reading
  await settle()
  await settle()
  t.is(store.gets.filter(({ key }) => key === last.key).length, 1)
})

test('no more than a quarter of the memory is taken by what nobody has read', async (t) => {
  const memoryBytes = 1 << 20
  const { store, cache } = prepare(t, { memoryBytes, ...smallBlocks })
  const blobs = Array.from({ length: 100 }, (_, i) => store.add(`${i}`, noise(16_384, i + 1)))
  const accepted = cache.prefetch(blobs)
  t.true(accepted > 10 && accepted * 16_384 <= memoryBytes / 4)
  await settle()
  t.is(store.gets.length, accepted)
  t.is(cache.prefetch(blobs), accepted)
  for (const blob of blobs.slice(0, 5)) await readAll(cache, blob)
  t.is(cache.prefetch(blobs), accepted + 5, 'what has been read makes room')
})

test('what was prefetched and never read makes room after a while, and is counted when it goes', async (t) => {
  let now = 0
  const { store, cache } = prepare(t, { memoryBytes: 1 << 20, now: () => now, ...smallBlocks })
  const blobs = Array.from({ length: 200 }, (_, i) => store.add(`${i}`, noise(16_384, i + 1)))
  const accepted = cache.prefetch(blobs)
  await settle()
  t.is(cache.prefetch(blobs.slice(100)), 0)
  now = 60_000
  t.true(cache.prefetch(blobs.slice(100)) > 0)
  await settle()
  for (const blob of blobs.slice(accepted, 100)) await readAll(cache, blob)
  t.is(cache.metrics.prefetchWasted, accepted)
})

test('what cannot be prefetched does no harm', async (t) => {
  const { store, cache } = prepare(t)
  const missing = blobOf('missing', noise(10))
  const wrong = blobOf('wrong', noise(10))
  store.objects.set('wrong', noise(10, 2))
  const large = store.add('large', noise(4 * MiB + 1))
  const empty = store.add('empty', noise(0))
  t.is(cache.prefetch([empty, missing, wrong, large, missing]), 3)
  await settle()
  await settle()
  t.is(cache.metrics.bytesHeld, 0)
  await t.throwsAsync(readAll(cache, missing), { code: 'missing' })
  await t.throwsAsync(readAll(cache, wrong), { code: 'corrupt' })
})

test('a closed cache ends what is under way, and starts nothing', async (t) => {
  const { store, cache } = prepare(t)
  const blobs = Array.from({ length: 100 }, (_, i) => store.add(`${i}`, noise(100, i + 1)))
  const large = store.add('large', noise(5 * MiB))
  store.hold()
  const reading = readAll(cache, blobs[0] as Blob)
  const readingLarge = readAll(cache, large)
  cache.prefetch(blobs)
  await settle()
  await cache[Symbol.asyncDispose]()
  await t.throwsAsync(reading, { name: 'AbortError' })
  await t.throwsAsync(readingLarge, { name: 'AbortError' })
  for (const { signal } of store.gets) t.true(signal.aborted)
  const { length } = store.gets
  await t.throwsAsync(readAll(cache, blobs[99] as Blob), { name: 'AbortError' })
  t.is(store.gets.length, length)
})

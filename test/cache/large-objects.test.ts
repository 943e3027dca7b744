import test, { type ExecutionContext } from 'ava'
import type { Blob } from '../../src/cache/blob-source.ts'
import { ObjectCache, type ObjectCacheOptions } from '../../src/cache/object-cache.ts'
import { readaheadDefaults } from '../../src/cache/readahead.ts'
import { StoreError } from '../../src/store/errors.ts'
import { noise, RecordingLogger, RecordingReader, settle } from './recording-reader.ts'

/** Everything 256 times smaller than it is. */
const unit = 4096
const scaled = {
  wholeLimit: 4 * unit,
  readahead: {
    ...readaheadDefaults,
    blockBytes: unit,
    initial: unit,
    largest: 64 * unit,
    tolerance: 16 * unit,
    largestRequest: 8 * unit,
  },
  memoryBytes: 256 * unit + (1 << 20),
}

interface Prepared {
  readonly store: RecordingReader
  readonly logger: RecordingLogger
  readonly cache: ObjectCache
  readonly bytes: Buffer
  readonly blob: Blob
}

function prepare(
  t: ExecutionContext,
  size = 300 * unit + 7,
  options: Partial<ObjectCacheOptions> = {},
): Prepared {
  const store = new RecordingReader()
  const logger = new RecordingLogger()
  const cache = new ObjectCache({ store: store.reader, logger, ...scaled, ...options })
  t.teardown(() => cache[Symbol.asyncDispose]())
  const bytes = noise(size)
  return { store, logger, cache, bytes, blob: store.add('large', bytes) }
}

/** Reads one stretch and compares it. */
async function read(
  t: ExecutionContext,
  { cache, bytes, blob }: Prepared,
  offset: number,
  length: number,
): Promise<void> {
  const end = Math.min(offset + length, blob.size)
  const pieces = await cache.read(blob, { offset, length: end - offset })
  t.true(Buffer.concat(pieces).equals(bytes.subarray(offset, end)), `bytes at ${offset}`)
}

/** Reads from `offset` to `end` in steps. */
async function readOn(
  t: ExecutionContext,
  prepared: Prepared,
  offset: number,
  end: number,
  step = unit,
): Promise<void> {
  for (let at = offset; at < end; at += step) await read(t, prepared, at, Math.min(step, end - at))
}

/** How often each unit of the object has been asked for. */
function fetched({ store, blob }: Prepared): number[] {
  const counts = Array<number>(Math.ceil(blob.size / unit)).fill(0)
  for (const { range } of store.gets)
    if (range)
      for (let at = Math.floor(range.offset / unit); at * unit < range.offset + range.length; at++)
        counts[at] = (counts[at] ?? 0) + 1
  return counts
}

for (const step of [unit, 1000, 3 * unit + 5, 32 * unit])
  test(`an object read from start to end in steps of ${step} is fetched once, in parallel`, async (t) => {
    const prepared = prepare(t)
    await readOn(t, prepared, 0, prepared.blob.size, step)
    t.true(fetched(prepared).every((count) => count === 1))
    const lengths = prepared.store.gets.map(({ range }) => range?.length ?? 0)
    t.true(Math.max(...lengths) <= Math.max(8 * unit, step + 2 * unit))
    t.is(prepared.cache.metrics.corrupt, 0)
  })

test('the window grows while the reader waits: requests of all of it are under way at a time', async (t) => {
  const prepared = prepare(t)
  await readOn(t, prepared, 0, 20 * unit)
  const { store, cache, blob } = prepared
  store.hold()
  let most = 0
  for (let at = 20; at < 200; at++) {
    const reading = cache.read(blob, { offset: at * unit, length: unit })
    await settle()
    most = Math.max(most, store.waiting)
    if (reading instanceof Promise) {
      store.release()
      await reading
      store.hold()
    }
  }
  store.release()
  t.true(most >= 7, `${most} at a time`)
})

test('random reads fetch exactly what they ask for', async (t) => {
  const prepared = prepare(t)
  const offsets = [200 * unit + 11, 17, 50 * unit - 3, 290 * unit, 120 * unit + 1]
  for (const offset of offsets) await read(t, prepared, offset, 100)
  t.deepEqual(
    prepared.store.gets.map(({ range }) => range),
    offsets.map((offset) => ({ offset, length: 100 })),
  )
})

test('a reader in the middle is noticed when it goes on', async (t) => {
  const prepared = prepare(t)
  await readOn(t, prepared, 100 * unit, 160 * unit)
  const ranges = prepared.store.gets.map(({ range }) => range)
  t.deepEqual(ranges[0], { offset: 100 * unit, length: unit })
  t.true(fetched(prepared).every((count) => count <= 1))
})

test('a reader that stops leaves at most its window', async (t) => {
  const prepared = prepare(t)
  await readOn(t, prepared, 0, 100 * unit)
  await settle()
  const last = fetched(prepared).lastIndexOf(1)
  t.true(last <= 100 + 64 + 8, `fetched up to ${last}`)
})

/** As the kernel sends its read-ahead: parallel, and permuted within 16 units. */
test('reads that come permuted and in parallel fetch nothing twice, and are checked', async (t) => {
  const prepared = prepare(t, 320 * unit)
  const { cache, blob, bytes } = prepared
  const order = [3, 0, 7, 1, 15, 2, 9, 4, 11, 5, 14, 6, 8, 13, 10, 12]
  for (let group = 0; group < 20; group++) {
    const readings = order.map(async (i) => {
      const offset = (group * 16 + i) * unit
      const pieces = await cache.read(blob, { offset, length: unit })
      t.true(Buffer.concat(pieces).equals(bytes.subarray(offset, offset + unit)))
    })
    await Promise.all(readings)
  }
  t.true(fetched(prepared).every((count) => count === 1))
})

test('two readers of one object, one behind the other, share what is fetched', async (t) => {
  const prepared = prepare(t)
  for (let at = 0; at < 300; at++) {
    await read(t, prepared, at * unit, unit)
    if (at >= 10) await read(t, prepared, (at - 10) * unit, unit)
  }
  t.true(fetched(prepared).every((count) => count <= 1))
})

test('two readers far from each other keep a window each', async (t) => {
  const prepared = prepare(t, 1000 * unit)
  for (let at = 0; at < 300; at++) {
    await read(t, prepared, at * unit, unit)
    await read(t, prepared, (600 + at) * unit, unit)
  }
  t.true(fetched(prepared).every((count) => count <= 1))
})

test('a reader that leaves takes along only what nobody else wants', async (t) => {
  const { store, cache, blob, bytes } = prepare(t)
  store.hold()
  const controller = new AbortController()
  const range = { offset: 0, length: unit }
  const leaving = Promise.resolve(cache.read(blob, range, { signal: controller.signal }))
  const staying = cache.read(blob, range)
  await settle()
  t.is(store.gets.length, 1)
  const reason = new Error('interrupted')
  controller.abort(reason)
  await t.throwsAsync(leaving, { is: reason })
  t.false(store.gets[0]?.signal.aborted)
  store.release()
  t.true(Buffer.concat(await staying).equals(bytes.subarray(0, unit)))
})

test('an aborted read ends its request, of a single range too', async (t) => {
  const { store, cache, blob } = prepare(t)
  store.hold()
  for (const range of [
    { offset: 0, length: unit },
    { offset: 99 * unit, length: 10 },
  ]) {
    const controller = new AbortController()
    const reading = Promise.resolve(cache.read(blob, range, { signal: controller.signal }))
    await settle()
    controller.abort()
    await t.throwsAsync(reading, { name: 'AbortError' })
    t.true(store.gets.at(-1)?.signal.aborted)
  }
  t.is(store.waiting, 0)
})

/** Reads in steps until it fails; the offset of the read that did. */
async function failsAt(
  { cache, blob }: Prepared,
  step = unit,
): Promise<[offset: number, code: string] | undefined> {
  for (let offset = 0; offset < blob.size; offset += step)
    try {
      await cache.read(blob, { offset, length: Math.min(step, blob.size - offset) })
    } catch (error) {
      return [offset, (error as { code: string }).code]
    }
  return undefined
}

test('who reads an altered object from start to end is refused its last bytes', async (t) => {
  for (const place of [0, 5, 150 * unit + 3, 300 * unit + 6]) {
    const prepared = prepare(t)
    const altered = Buffer.from(prepared.bytes)
    altered[place] = (altered[place] as number) ^ 1
    prepared.store.objects.set('large', altered)
    t.deepEqual(await failsAt(prepared), [300 * unit, 'corrupt'])
    t.is(prepared.logger.lines.length, 1)
    t.deepEqual(await failsAt(prepared), [300 * unit, 'corrupt'], 'and again')
    prepared.store.objects.set('large', prepared.bytes)
    t.is(await failsAt(prepared), undefined, 'until it is put right')
    t.is(prepared.logger.lines.length, 1)
  }
})

test('an altered object is found out too when its last part is read before the others', async (t) => {
  const prepared = prepare(t, 16 * unit)
  const { cache, blob, store } = prepared
  store.objects.set('large', noise(16 * unit, 2))
  store.hold()
  const offsets = [...Array(16).keys()].toReversed().map((at) => at * unit)
  // The first read makes the reader known.
  const readings = [0, ...offsets.slice(0, -1)].map((offset) => cache.read(blob, { offset, length: unit }))
  store.release()
  const results = await Promise.allSettled(readings)
  t.true(results.some((result) => result.status === 'rejected' && result.reason.code === 'corrupt'))
})

test('an object of another length is refused at its first range, and not fetched whole', async (t) => {
  for (const size of [0, 10 * unit, 300 * unit, 600 * unit]) {
    const prepared = prepare(t)
    prepared.store.objects.set('large', noise(size))
    t.deepEqual(await failsAt(prepared), [0, 'corrupt'])
    await t.throwsAsync(
      Promise.resolve(prepared.cache.read(prepared.blob, { offset: 290 * unit, length: 10 })),
      { code: 'corrupt' },
    )
    t.true(prepared.store.gets.length <= 3)
  }
})

test('a missing object is said to be', async (t) => {
  const prepared = prepare(t)
  prepared.store.objects.delete('large')
  t.deepEqual(await failsAt(prepared), [0, 'missing'])
})

test('a request that fails fails only who waits for it, and is sent again for the next reader', async (t) => {
  const prepared = prepare(t)
  const { store, cache, blob } = prepared
  await readOn(t, prepared, 0, 100 * unit)
  await settle()
  let failing = 0
  store.tamper = (_, bytes) => {
    if (failing++ < 5) throw new StoreError('unavailable', 'reset')
    return bytes
  }
  let failures = 0
  for (let at = 100; at < 300; at++)
    for (;;)
      try {
        await cache.read(blob, { offset: at * unit, length: unit })
        break
      } catch {
        failures++
      }
  t.true(failures <= 5)
  await read(t, prepared, 300 * unit, 7)
  t.is(cache.metrics.corrupt, 0)
})

test('the memory is never over its bound by what is held, however many read', async (t) => {
  const memoryBytes = 64 * unit
  const prepared = prepare(t, 300 * unit + 7, { memoryBytes })
  const { store, cache } = prepared
  const others = Array.from({ length: 8 }, (_, i) => ({
    ...prepared,
    bytes: noise(100 * unit, i + 2),
    blob: store.add(`other${i}`, noise(100 * unit, i + 2)),
  }))
  let most = 0
  await Promise.all(
    [prepared, ...others].map(async (each) => {
      for (let offset = 0; offset < each.blob.size; offset += unit) {
        await read(t, each, offset, unit)
        most = Math.max(most, cache.metrics.bytesHeld)
      }
    }),
  )
  t.true(most <= memoryBytes)
})

test('readers who leave something out and stop take no memory from those who come later', async (t) => {
  let now = 0
  const prepared = prepare(t, 300 * unit, { now: () => now })
  const { store, cache } = prepared
  const skipped = noise(200 * unit, 2)
  for (let i = 0; i < 60; i++) {
    const blob = store.add(`skipped${i}`, skipped)
    for (let at = 0; at < 150; at += 2) await cache.read(blob, { offset: at * unit, length: unit })
  }
  await settle()
  const { length } = store.gets
  now = 60_000
  await readOn(t, prepared, 0, 300 * unit, unit / 4)
  // 300 when everything is held as soon as it has come, 1200 when nothing is.
  t.true(store.gets.length - length <= 450, `${store.gets.length - length} requests`)
})

test('of two objects under one key each is given its own bytes', async (t) => {
  const prepared = prepare(t)
  await readOn(t, prepared, 0, 10 * unit)
  const other = { ...prepared, blob: { ...prepared.blob, size: 100 * unit } }
  t.deepEqual(await failsAt(other), [0, 'corrupt'])
  await readOn(t, prepared, 10 * unit, 20 * unit)
})

test('an object no index speaks of is bound to its etag', async (t) => {
  const { store, cache } = prepare(t)
  const blob: Blob = { key: store.add('plain', noise(50 * unit)).key, size: 50 * unit, etag: '"1"' }
  const asked: unknown[] = []
  const { get } = store.reader
  Object.assign(store.reader, {
    get: (key: Blob['key'], options: { ifMatch?: string }) => {
      asked.push(options.ifMatch)
      return get(key, options)
    },
  })
  for (let at = 0; at < 50; at++) await cache.read(blob, { offset: at * unit, length: unit })
  t.deepEqual([...new Set(asked)], ['"1"'])
})

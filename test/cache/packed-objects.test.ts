import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import type { Blob } from '../../src/cache/blob-source.ts'
import { ObjectCache } from '../../src/cache/object-cache.ts'
import { noise, RecordingLogger, RecordingReader, settle } from './recording-reader.ts'

const MiB = 1 << 20

interface Prepared {
  readonly store: RecordingReader
  readonly cache: ObjectCache
  readonly folder: string
}

function prepare(t: ExecutionContext): Prepared {
  const folder = mkdtempSync(join(tmpdir(), 'packed-objects-'))
  const store = new RecordingReader()
  const cache = new ObjectCache({
    store: store.reader,
    logger: new RecordingLogger(),
    unpackFolder: join(folder, 'unpacked'),
  })
  t.teardown(async () => {
    await cache[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })
  return { store, cache, folder }
}

/** An object that is stored as `stored`, and is to unpack to `size` bytes. */
function packed(store: RecordingReader, key: string, stored: Buffer, size: number): Blob {
  const { key: objectKey } = store.add(key, stored)
  return { key: objectKey, size, packing: 'gzip' }
}

async function readAll(cache: ObjectCache, blob: Blob): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for (let offset = 0; offset < blob.size; offset += MiB) {
    const length = Math.min(MiB, blob.size - offset)
    pieces.push(...(await cache.read(blob, { offset, length })))
  }
  return Buffer.concat(pieces)
}

test('a small gzipped object is one request, and can be fetched ahead', async (t) => {
  const { store, cache } = prepare(t)
  const bytes = noise(100_000)
  const blob = packed(store, 'a', gzipSync(bytes), bytes.length)
  t.is(cache.prefetch([blob]), 1)
  t.deepEqual(await readAll(cache, blob), bytes)
  t.is(store.gets.length, 1)
})

test('a large gzipped object is unpacked once, whatever is read of it', async (t) => {
  const { store, cache, folder } = prepare(t)
  const bytes = Buffer.concat([noise(6 * MiB), Buffer.alloc(6 * MiB), noise(MiB + 7)])
  const blob = packed(store, 'a', gzipSync(bytes, { level: 1 }), bytes.length)
  const range = { offset: 9 * MiB + 5, length: 10 }
  t.deepEqual(
    Buffer.concat(await cache.read(blob, range)),
    bytes.subarray(range.offset, range.offset + range.length),
  )
  t.deepEqual(await readAll(cache, blob), bytes)
  t.is(store.gets.length, 1)
  t.deepEqual(readdirSync(join(folder, 'unpacked')), [], 'its file has no name')
})

for (const size of [100, 5 * MiB])
  test(`a gzipped object of ${size} bytes that is another one than its index says is not given to anybody`, async (t) => {
    const { store, cache } = prepare(t)
    const right = gzipSync(noise(size), { level: 1 })
    const wrong = { code: 'corrupt' }
    await t.throwsAsync(readAll(cache, packed(store, 'shorter', right, size + 1)), wrong)
    await t.throwsAsync(readAll(cache, packed(store, 'longer', right, size - 1)), wrong)
    await t.throwsAsync(readAll(cache, packed(store, 'plain', noise(size), size)), wrong)
    await t.throwsAsync(
      readAll(cache, packed(store, 'cut', right.subarray(0, right.length - 20), size)),
      wrong,
    )
    await t.throwsAsync(readAll(cache, packed(store, 'bomb', gzipSync(Buffer.alloc(64 * MiB)), size)), wrong)
    const missing = { ...packed(store, 'a', right, size), key: 'b' as Blob['key'] }
    await t.throwsAsync(readAll(cache, missing), { code: 'missing' })
  })

test('of more large gzipped objects than are kept, each is read while others are begun', async (t) => {
  const { store, cache } = prepare(t)
  const bytes = noise(4 * MiB + 1)
  const stored = gzipSync(bytes, { level: 1 })
  const blobs = Array.from({ length: 40 }, (_, n) => packed(store, `o${n}`, stored, bytes.length))
  store.hold()
  const read = blobs.map(async (blob) => Buffer.concat(await cache.read(blob, { offset: MiB, length: 10 })))
  await settle()
  t.is(store.waiting, blobs.length)
  store.release()
  for (const found of await Promise.all(read)) t.deepEqual(found, bytes.subarray(MiB, MiB + 10))
})

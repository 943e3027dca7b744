import { appendFile, mkdtemp, open, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import type { Blob } from '../../src/cache/blob-source.ts'
import { DiskTier, type DiskTierOptions } from '../../src/cache/disk-tier.ts'
import { ObjectCache } from '../../src/cache/object-cache.ts'
import { readaheadDefaults } from '../../src/cache/readahead.ts'
import { noise, RecordingLogger, RecordingReader } from './recording-reader.ts'

const MiB = 1 << 20

async function folderOf(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'jbfs-disk-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

async function opened(
  t: ExecutionContext,
  folder: string,
  options: Partial<DiskTierOptions> = {},
): Promise<DiskTier> {
  const tier = await DiskTier.open({ folder, maxBytes: 64 * MiB, logger: silentLogger, ...options })
  t.teardown(() => tier[Symbol.asyncDispose]())
  return tier
}

/** All files below the folder. */
async function files(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true })
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

async function onlyFile(folder: string): Promise<string> {
  const [path = ''] = await files(folder)
  return path
}

test('what was put is there after reopening', async (t) => {
  const folder = await folderOf(t)
  const first = await opened(t, folder)
  const names = ['a', 'b/c', '../../escape', 'ü', 'x'.repeat(2000), '']
  for (const [i, name] of names.entries()) await first.put(name, noise(1000 + i, i + 1))
  for (const [i, name] of names.entries())
    t.deepEqual(await first.get(name, 1000 + i), noise(1000 + i, i + 1))
  await first[Symbol.asyncDispose]()
  const second = await opened(t, folder)
  for (const [i, name] of names.entries())
    t.deepEqual(await second.get(name, 1000 + i), noise(1000 + i, i + 1))
  await second.settled()
  t.false(second.mayHave('something else'))
  t.is((await files(folder)).length, names.length)
})

test('bytes come into the buffer that is given', async (t) => {
  const tier = await opened(t, await folderOf(t))
  await tier.put('a', noise(100))
  const into = Buffer.alloc(200)
  const bytes = await tier.get('a', 100, into)
  t.is(bytes?.buffer, into.buffer)
  t.deepEqual(into.subarray(0, 100), noise(100))
})

test('nothing is there under another name or of another length', async (t) => {
  const tier = await opened(t, await folderOf(t))
  await tier.put('a', noise(1000))
  t.is(await tier.get('b', 1000), undefined)
  t.is(await tier.get('a', 999), undefined)
  await tier.put('a', noise(1000))
  t.is(await tier.get('a', 1001), undefined)
})

const damages: readonly (readonly [what: string, damage: (path: string) => Promise<unknown>])[] = [
  ['a flipped bit in the content', (path) => flip(path, -1)],
  ['a flipped bit in the header', (path) => flip(path, 0)],
  ['a flipped bit in the name', (path) => flip(path, 24)],
  ['a flipped bit in the length', (path) => flip(path, 16)],
  ['the end cut off', (path) => truncate(path, 900)],
  ['the header cut off', (path) => truncate(path, 10)],
  ['no bytes', (path) => truncate(path, 0)],
  ['bytes added', (path) => appendFile(path, 'x')],
  ['zeros, as after a power failure', async (path) => writeFile(path, Buffer.alloc((await stat(path)).size))],
]

async function flip(path: string, at: number): Promise<void> {
  await using file = await open(path, 'r+')
  const position = at < 0 ? (await file.stat()).size + at : at
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, position)
  byte[0] = (byte[0] as number) ^ 1
  await file.write(byte, 0, 1, position)
}

for (const [what, damage] of damages)
  test(`a file with ${what} is a miss, and is replaced`, async (t) => {
    const folder = await folderOf(t)
    const tier = await opened(t, folder)
    await tier.put('a', noise(1000))
    await damage(await onlyFile(folder))
    t.is(await tier.get('a', 1000), undefined)
    await tier.settled()
    await tier.put('a', noise(1000))
    t.deepEqual(await tier.get('a', 1000), noise(1000))
  })

test('a file that another daemon has evicted is a miss', async (t) => {
  const folder = await folderOf(t)
  const logger = new RecordingLogger()
  const tier = await opened(t, folder, { logger })
  await tier.put('a', noise(1000))
  await rm(await onlyFile(folder))
  t.is(await tier.get('a', 1000), undefined)
  t.deepEqual(logger.lines, [])
})

test('what has been unused for the longest goes first, after reopening too', async (t) => {
  const folder = await folderOf(t)
  let now = Date.now()
  const options = { maxBytes: 20 * 8192, now: () => now }
  const first = await opened(t, folder, options)
  for (let i = 0; i < 15; i++) {
    now += 1_000_000
    await first.put(`${i}`, noise(8000, i + 1))
  }
  now += 1_000_000
  t.truthy(await first.get('0', 8000))
  await first.settled()
  await first[Symbol.asyncDispose]()
  const second = await opened(t, folder, options)
  await second.settled()
  for (let i = 15; i < 30; i++) {
    now += 1_000_000
    await second.put(`${i}`, noise(8000, i + 1))
    t.true(second.bytesKept <= options.maxBytes)
  }
  t.truthy(await second.get('29', 8000))
  t.truthy(await second.get('0', 8000), 'it was read')
  t.is(await second.get('1', 8000), undefined)
})

test('the bound counts what the files take on disk', async (t) => {
  const folder = await folderOf(t)
  const tier = await opened(t, folder, { maxBytes: 100 * 4096 })
  for (let i = 0; i < 300; i++) await tier.put(`${i}`, noise(10, i + 1))
  await tier.settled()
  t.true((await files(folder)).length <= 100)
  t.true((await files(folder)).length > 50)
})

test('something larger than the bound is not kept', async (t) => {
  const folder = await folderOf(t)
  const tier = await opened(t, folder, { maxBytes: 1000 })
  await tier.put('a', noise(2000))
  t.is(await tier.get('a', 2000), undefined)
  t.deepEqual(await files(folder), [])
})

test('what comes faster than the disk is not kept, and nobody waits for it', async (t) => {
  const folder = await folderOf(t)
  const tier = await opened(t, folder, { maxBytes: 1 << 30 })
  const bytes = noise(4 * MiB)
  const puts = Array.from({ length: 20 }, (_, i) => tier.put(`${i}`, bytes))
  await Promise.all(puts)
  t.is((await files(folder)).length, 8, '32 MiB')
})

test('a folder that cannot be written is a cache that keeps nothing, and one line in the log', async (t) => {
  const folder = await folderOf(t)
  const logger = new RecordingLogger()
  const tier = await opened(t, folder, { logger })
  await tier.settled()
  await rm(folder, { recursive: true })
  await writeFile(folder, 'no folder')
  for (let i = 0; i < 5; i++) {
    await tier.put(`${i}`, noise(100))
    t.is(await tier.get(`${i}`, 100), undefined)
  }
  t.is(logger.lines.length, 1)
  t.like(logger.lines[0], { level: 'warn', fields: { folder } })
  t.true(tier.faults.count >= 5)
  t.regex(tier.faults.last ?? '', /^ENOTDIR: /)
})

test('temporary files of a daemon that died go, those of one that lives stay', async (t) => {
  const folder = await folderOf(t)
  const first = await opened(t, folder)
  await first.put('a', noise(100))
  const path = await onlyFile(folder)
  await writeFile(`${path}.7.tmp`, 'old')
  await utimes(`${path}.7.tmp`, 1_600_000_000, 1_600_000_000)
  await writeFile(`${path}.8.tmp`, 'new')
  await first[Symbol.asyncDispose]()
  const second = await opened(t, folder)
  await second.settled()
  t.deepEqual((await files(folder)).toSorted(), [path, `${path}.8.tmp`])
})

/** A cache over its own store and a folder on disk. */
async function cacheOn(
  t: ExecutionContext,
  folder: string,
  store: RecordingReader,
): Promise<{ cache: ObjectCache; disk: DiskTier }> {
  const disk = await opened(t, folder)
  await disk.settled()
  const readahead = { ...readaheadDefaults, blockBytes: 4096, initial: 4096, largestRequest: 32_768 }
  const cache = new ObjectCache({
    store: store.reader,
    disk,
    logger: silentLogger,
    wholeLimit: 16_384,
    readahead,
    memoryBytes: 4 * MiB,
  })
  t.teardown(() => cache[Symbol.asyncDispose]())
  return { cache, disk }
}

async function readInSteps(cache: ObjectCache, blob: Blob, step: number): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for (let offset = 0; offset < blob.size; offset += step)
    pieces.push(...(await cache.read(blob, { offset, length: Math.min(step, blob.size - offset) })))
  return Buffer.concat(pieces)
}

test('objects that were read once are read from disk by the next daemon', async (t) => {
  const folder = await folderOf(t)
  const store = new RecordingReader()
  const small = store.add('small', noise(10_000))
  const large = store.add('large', noise(200_000, 2))
  const first = await cacheOn(t, folder, store)
  await readInSteps(first.cache, small, 4096)
  await readInSteps(first.cache, large, 4096)
  await first.disk.settled()
  await first.cache[Symbol.asyncDispose]()
  await first.disk[Symbol.asyncDispose]()
  const { length } = store.gets
  const second = await cacheOn(t, folder, store)
  t.deepEqual(await readInSteps(second.cache, small, 4096), noise(10_000))
  t.deepEqual(await readInSteps(second.cache, large, 4096), noise(200_000, 2))
  t.is(store.gets.length, length)
  t.true(second.cache.metrics.diskHits > 0)
})

test('what the disk has is checked against the index too', async (t) => {
  const folder = await folderOf(t)
  const store = new RecordingReader()
  const blob = store.add('small', noise(10_000))
  const first = await cacheOn(t, folder, store)
  await readInSteps(first.cache, blob, 10_000)
  await first.disk.settled()
  for (const path of await files(folder)) await flip(path, -5)
  const second = await cacheOn(t, folder, store)
  t.deepEqual(await readInSteps(second.cache, blob, 10_000), noise(10_000))
  t.is(store.gets.length, 2)
})

test('an altered large object does not stay on disk once it is found out', async (t) => {
  const folder = await folderOf(t)
  const store = new RecordingReader()
  const blob = store.add('large', noise(200_000))
  store.objects.set('large', noise(200_000, 2))
  const { cache, disk } = await cacheOn(t, folder, store)
  await t.throwsAsync(readInSteps(cache, blob, 4096), { code: 'corrupt' })
  await disk.settled()
  store.objects.set('large', noise(200_000))
  t.deepEqual(await readInSteps(cache, blob, 4096), noise(200_000))
  t.deepEqual(await readInSteps(cache, blob, 4096), noise(200_000))
})

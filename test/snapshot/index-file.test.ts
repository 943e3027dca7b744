import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { constants, zstdCompressSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { indexKey, manifestKey } from '../../src/destination/layout.ts'
import { type CatalogEntry, listSnapshots } from '../../src/snapshot/catalog.ts'
import { type OpenIndexOptions, openSnapshotIndex } from '../../src/snapshot/index-file.ts'
import { type IndexReference, serializeManifest } from '../../src/snapshot/manifest.ts'
import type { Tree } from '../../src/snapshot/tree.ts'
import type { DirectoryStore } from '../../src/store/directory-store.ts'
import { StoreError } from '../../src/store/errors.ts'
import type { ObjectReader } from '../../src/store/object-store.ts'
import { emptyStore, manifest, publishSample, repository, totals } from './publish-sample.ts'
import { temporaryFolder } from './write-tree.ts'

interface Prepared {
  readonly store: DirectoryStore
  readonly folder: string
  readonly cacheDir: string
}

/** A store with one published snapshot, number 1. */
async function prepare(t: ExecutionContext): Promise<Prepared> {
  const folder = await temporaryFolder(t)
  const store = await emptyStore(folder)
  await publishSample(store, folder, 1)
  return { store, folder, cacheDir: join(folder, 'cache') }
}

async function entryOf(store: ObjectReader): Promise<CatalogEntry> {
  return (await listSnapshots(store, repository))[0] as CatalogEntry
}

async function open(
  { store, cacheDir }: { store: ObjectReader; cacheDir: string },
  given: Partial<OpenIndexOptions> = {},
): Promise<Tree> {
  const entry = given.entry ?? (await entryOf(store))
  return openSnapshotIndex({ store, repository, entry, cacheDir, logger: silentLogger, ...given })
}

function names(tree: Tree): string[] {
  return [...tree.entries(tree.root, 0)].map(({ name }) => name)
}

/** Replaces the index by `raw` compressed, and the manifest by one that speaks of it, but for what `reference` says. */
async function replaceIndex(
  { store }: Prepared,
  compressed: Buffer,
  rawSize: number,
  reference: Partial<IndexReference> = {},
): Promise<void> {
  const sha256 = createHash('sha256').update(compressed).digest('hex')
  const index = { key: 'export/snap.1', encoding: 'zstd', size: compressed.length, rawSize, sha256 } as const
  const jbfs = { format: 1, ...totals, index: { ...index, ...reference } }
  await store.put(indexKey(repository, 1), compressed)
  await store.put(manifestKey(repository, 1), serializeManifest({ ...manifest, jbfs }))
}

async function storedIndex({ store }: Prepared): Promise<Buffer> {
  return (await store.get(indexKey(repository, 1)))?.bytes as Buffer
}

/** What the cache holds once all is done. */
async function kept({ cacheDir }: Prepared): Promise<string[]> {
  return readdir(join(cacheDir, 'indexes'))
}

test('an index is fetched once, and opened from the cache afterwards', async (t) => {
  const prepared = await prepare(t)
  const entry = await entryOf(prepared.store)
  using tree = await open(prepared)
  t.deepEqual(names(tree), ['file'])
  t.deepEqual(await kept(prepared), [`${entry.manifest?.jbfs?.index.sha256}.sqlite`])
  await prepared.store.delete([indexKey(repository, 1)])
  using again = await open(prepared, { entry })
  t.deepEqual(names(again), ['file'])
})

test('a cache folder that cannot be used is said to be that, and is no fault of the snapshot', async (t) => {
  const prepared = await prepare(t)
  await writeFile(prepared.cacheDir, 'a file')
  await t.throwsAsync(open(prepared), { code: 'cache-unusable', message: new RegExp(prepared.cacheDir) })
  await rm(prepared.cacheDir)
  using tree = await open(prepared)
  t.deepEqual(names(tree), ['file'])
})

test('an index that is opened by several at a time is right for each', async (t) => {
  const prepared = await prepare(t)
  const entry = await entryOf(prepared.store)
  const trees = await Promise.all(Array.from({ length: 8 }, () => open(prepared, { entry })))
  for (const tree of trees) {
    t.deepEqual(names(tree), ['file'])
    tree[Symbol.dispose]()
  }
  t.is((await kept(prepared)).length, 1)
})

test('a kept index that is not whole is fetched again', async (t) => {
  const prepared = await prepare(t)
  using _tree = await open(prepared)
  const [name = ''] = await kept(prepared)
  await truncate(join(prepared.cacheDir, 'indexes', name), 5000)
  using again = await open(prepared)
  t.deepEqual(names(again), ['file'])
})

test('what died in the cache, or was not used for a month, is removed', async (t) => {
  const prepared = await prepare(t)
  using _tree = await open(prepared)
  const [name = ''] = await kept(prepared)
  const days = (count: number): number => Date.now() / 1000 - count * 24 * 3600
  const put = async (other: string, age: number): Promise<void> => {
    const path = join(prepared.cacheDir, 'indexes', other)
    await writeFile(path, 'x')
    await utimes(path, days(age), days(age))
  }
  await put('unused.sqlite', 31)
  await put('used.sqlite', 29)
  await put(`${name}.77.abc.zst`, 1)
  await put(`${name}.78.abc.zst`, 0)
  await publishSample(prepared.store, prepared.folder, 2, { fileName: 'other' })
  const [, second] = await listSnapshots(prepared.store, repository)
  using other = await open(prepared, { entry: second as CatalogEntry })
  t.deepEqual(names(other), ['other'])
  const left = await kept(prepared)
  t.is(left.length, 4)
  t.false(left.includes('unused.sqlite'))
  t.false(left.includes(`${name}.77.abc.zst`))
})

test('of more indexes than there is room for, those opened longest ago are removed', async (t) => {
  const prepared = await prepare(t)
  const folder = join(prepared.cacheDir, 'indexes')
  await mkdir(folder, { recursive: true })
  for (const [i, gibibytes] of [1, 14, 2, 1].entries()) {
    const path = join(folder, `${i}.sqlite`)
    await writeFile(path, '')
    await truncate(path, gibibytes * 2 ** 30)
    const hoursAgo = Date.now() / 1000 - (i + 1) * 3600
    await utimes(path, hoursAgo, hoursAgo)
  }
  using tree = await open(prepared)
  t.deepEqual(names(tree), ['file'])
  const left = await kept(prepared)
  t.deepEqual(left.filter((name) => name.length < 10).sort(), ['0.sqlite', '1.sqlite'])
  t.is(left.length, 3)
})

test('a snapshot that has a problem is not opened', async (t) => {
  const prepared = await prepare(t)
  await prepared.store.put(manifestKey(repository, 1), Buffer.from('{"created": 1}'))
  await t.throwsAsync(open(prepared), { name: 'SnapshotError', code: 'foreign' })
})

test('the index is missing', async (t) => {
  const prepared = await prepare(t)
  await prepared.store.delete([indexKey(repository, 1)])
  await t.throwsAsync(open(prepared), {
    name: 'SnapshotError',
    code: 'no-index',
    message: /job\/account\/snap\.1 .*export\/snap\.1 is missing/,
  })
  t.deepEqual(await kept(prepared), [])
})

const damages: readonly (readonly [what: string, damage: (bytes: Buffer) => Buffer, message: RegExp])[] = [
  [
    'is truncated',
    (bytes) => bytes.subarray(0, bytes.length / 2),
    /has \d+ bytes, and its manifest says \d+/,
  ],
  ['is empty', () => Buffer.alloc(0), /has 0 bytes, and its manifest says/],
  ['is longer', (bytes) => Buffer.concat([bytes, bytes]), /bytes, and its manifest says/],
  [
    'has a flipped bit',
    (bytes) => {
      const flipped = Buffer.from(bytes)
      flipped[bytes.length >> 1] = (flipped[bytes.length >> 1] as number) ^ 1
      return flipped
    },
    /does not have the SHA-256 of its manifest/,
  ],
]

for (const [what, damage, message] of damages)
  test(`the index ${what}`, async (t) => {
    const prepared = await prepare(t)
    await prepared.store.put(indexKey(repository, 1), damage(await storedIndex(prepared)))
    await t.throwsAsync(open(prepared), { name: 'SnapshotError', code: 'bad-index', message })
    t.deepEqual(await kept(prepared), [])
  })

const hostile: readonly (readonly [what: string, compressed: Buffer, rawSize: number, message: RegExp])[] = [
  ['text', zstdCompressSync(Buffer.from('hello')), 5, /not valid: it cannot be read/],
  ['nothing', zstdCompressSync(Buffer.alloc(0)), 0, /is not valid/],
  ['what is not compressed', Buffer.from('SQLite format 3\0'), 16, /cannot be decompressed/],
  ['no bytes', Buffer.alloc(0), 0, /cannot be decompressed|is not valid/],
  [
    'half a frame',
    zstdCompressSync(Buffer.alloc(99_999, 'abc')).subarray(0, 20),
    99_999,
    /cannot be decomp|has \d+ bytes/,
  ],
  [
    'more than the manifest says',
    zstdCompressSync(Buffer.alloc(1 << 26)),
    4096,
    /is larger than the 4096 bytes/,
  ],
  ['less than the manifest says', zstdCompressSync(Buffer.alloc(4096)), 2 ** 30, /has 4096 bytes, not the/],
  [
    'what takes 128 MiB of memory to decompress',
    zstdCompressSync(Buffer.alloc(1 << 20), {
      params: { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 },
    }),
    1 << 20,
    /cannot be decompressed|is not valid/,
  ],
]

for (const [what, compressed, rawSize, message] of hostile)
  test(`an index of ${what}`, async (t) => {
    const prepared = await prepare(t)
    await replaceIndex(prepared, compressed, rawSize)
    await t.throwsAsync(open(prepared), { name: 'SnapshotError', code: 'bad-index', message })
    t.deepEqual(await kept(prepared), [])
  })

test('a valid index whose size the manifest gives wrongly', async (t) => {
  const prepared = await prepare(t)
  const compressed = await storedIndex(prepared)
  const rawSize = (await entryOf(prepared.store)).manifest?.jbfs?.index.rawSize as number
  for (const wrong of [rawSize - 1, rawSize + 1]) {
    await replaceIndex(prepared, compressed, wrong)
    await t.throwsAsync(open(prepared), { code: 'bad-index' })
  }
  await replaceIndex(prepared, compressed, rawSize)
  using tree = await open(prepared)
  t.deepEqual(names(tree), ['file'])
})

test('a publish between the manifest and the index is noticed, and the new state opened', async (t) => {
  const prepared = await prepare(t)
  const { store, folder } = prepared
  const stale = await entryOf(store)
  await store.delete([manifestKey(repository, 1), indexKey(repository, 1)])
  await publishSample(store, folder, 1, { fileName: 'a file with a longer name' })
  using tree = await open(prepared, { entry: stale })
  t.deepEqual(names(tree), ['a file with a longer name'])
})

test('who comes late, when the index of the state before is gone, opens the new state', async (t) => {
  const prepared = await prepare(t)
  const { store, folder } = prepared
  const stale = await entryOf(store)
  await publishSample(store, folder, 1, { fileName: 'new', over: stale })
  await store.delete([indexKey(repository, 1)])
  using tree = await open(prepared, { entry: stale })
  t.deepEqual(names(tree), ['new'])
})

test('a manifest that is gone meanwhile does not hide what was wrong with the index', async (t) => {
  const prepared = await prepare(t)
  const stale = await entryOf(prepared.store)
  await prepared.store.put(indexKey(repository, 1), Buffer.from('another'))
  await prepared.store.delete([manifestKey(repository, 1)])
  await t.throwsAsync(open(prepared, { entry: stale }), { code: 'bad-index' })
})

/** A reader of the store whose streams break off after `length` bytes, the first `times` times. */
function breakingOff(store: DirectoryStore, times: number): ObjectReader {
  let broken = 0
  return {
    description: '',
    get: (key, options) => store.get(key, options),
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
    getStream: async (key, options) => {
      const stream = await store.getStream(key, options)
      if (stream === undefined || broken++ >= times) return stream
      const body = async function* (): AsyncIterable<Buffer> {
        for await (const chunk of stream.body) {
          yield chunk.subarray(0, 100)
          throw new StoreError('unavailable', 'the connection was reset')
        }
      }
      return { ...stream, body: body() }
    },
  }
}

test('a download that breaks off begins again', async (t) => {
  const prepared = await prepare(t)
  using tree = await open({ ...prepared, store: breakingOff(prepared.store, 2) })
  t.deepEqual(names(tree), ['file'])
})

test('a download that always breaks off is given up, and leaves nothing', async (t) => {
  const prepared = await prepare(t)
  const store = breakingOff(prepared.store, 99)
  await t.throwsAsync(open({ ...prepared, store }), { name: 'StoreError', code: 'unavailable' })
  t.deepEqual(await kept(prepared), [])
})

test('opening can be aborted', async (t) => {
  const prepared = await prepare(t)
  const entry = await entryOf(prepared.store)
  const reason = new Error('enough')
  await t.throwsAsync(open(prepared, { entry, signal: AbortSignal.abort(reason) }), { is: reason })
  t.deepEqual(await kept(prepared), [])
})

/** Overwrites all of the only kept index but its first `from` bytes. */
async function damageKept(prepared: Prepared, from: number): Promise<void> {
  const [name = ''] = await kept(prepared)
  const path = join(prepared.cacheDir, 'indexes', name)
  const bytes = await readFile(path)
  await writeFile(path, Buffer.concat([bytes.subarray(0, from), Buffer.alloc(bytes.length - from, 0x55)]))
}

test('a kept index that cannot be opened is fetched again', async (t) => {
  const prepared = await prepare(t)
  using _tree = await open(prepared)
  for (const from of [0, 16, 100]) {
    await damageKept(prepared, from)
    using again = await open(prepared)
    t.deepEqual(names(again), ['file'])
  }
})

test('an index whose rows are damaged after it was opened gives an error, not a crash', async (t) => {
  const prepared = await prepare(t)
  using tree = await open(prepared)
  await damageKept(prepared, 4096)
  const [name = ''] = await kept(prepared)
  const { message } = t.throws(() => names(tree), { name: 'SnapshotError', code: 'bad-index' })
  t.true(message.includes('snap.1') && message.includes(name))
  t.deepEqual(await kept(prepared), [])
  using again = await open(prepared)
  t.deepEqual(names(again), ['file'])
})

import { zstdCompressSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { manifestKey } from '../../src/destination/layout.ts'
import { type CatalogEntry, listSnapshots, newestSnapshot, readSnapshot } from '../../src/snapshot/catalog.ts'
import type { DirectoryStore } from '../../src/store/directory-store.ts'
import { type ObjectReader, objectKey } from '../../src/store/object-store.ts'
import { emptyStore, publishSample, repository } from './publish-sample.ts'
import { temporaryFolder } from './write-tree.ts'

async function prepare(t: ExecutionContext): Promise<{ store: DirectoryStore; folder: string }> {
  const folder = await temporaryFolder(t)
  return { store: await emptyStore(folder), folder }
}

/** [name, code of the problem] */
function outline(entries: readonly CatalogEntry[]): [string, string | undefined][] {
  return entries.map(({ name, problem }) => [name, problem?.code])
}

test('snapshots are listed by number, whatever else lies there', async (t) => {
  const { store, folder } = await prepare(t)
  for (const number of [10, 9, 1]) await publishSample(store, folder, number)
  for (const key of [
    'snap.0/x',
    'snap.01/x',
    'snap.x/y',
    'snap.5',
    'snap.99999999999/x',
    'snapshot/x',
    'a/snap.3/x',
  ])
    await store.put(objectKey(repository + key), Buffer.from('x'))
  t.deepEqual(outline(await listSnapshots(store, repository)), [
    ['snap.1', undefined],
    ['snap.9', undefined],
    ['snap.10', undefined],
  ])
  t.deepEqual(await listSnapshots(store, 'job/other/'), [])
})

test('one bad manifest does not spoil the others', async (t) => {
  const { store, folder } = await prepare(t)
  await publishSample(store, folder, 1)
  const put = (number: number, text: string | Buffer): Promise<unknown> =>
    store.put(manifestKey(repository, number), Buffer.from(text))
  await put(2, 'no JSON')
  await put(3, '{"created": 1650000035, "items": []}')
  await put(4, '{"jbfs": {"format": 2}}')
  await put(5, '')
  await put(6, Buffer.alloc((4 << 20) + 1))
  await store.put(objectKey(`${repository}snap.7/other`), Buffer.from('x'))
  await publishSample(store, folder, 8)
  await put(9, (await store.get(manifestKey(repository, 8)))?.bytes ?? '')
  await put(10, '{"created": 9e15, "items": [{"type": {"toString": 1}}]}')
  const database = Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(4 << 20)])
  await put(11, database)
  await put(12, zstdCompressSync('{"created": 1650000035}'))
  const entries = await listSnapshots(store, repository)
  t.deepEqual(outline(entries), [
    ['snap.1', undefined],
    ['snap.2', 'bad-manifest'],
    ['snap.3', 'foreign'],
    ['snap.4', 'too-new'],
    ['snap.5', 'bad-manifest'],
    ['snap.6', 'bad-manifest'],
    ['snap.7', 'no-manifest'],
    ['snap.8', undefined],
    // It names the index of snap.8.
    ['snap.9', 'bad-manifest'],
    ['snap.10', 'foreign'],
    ['snap.11', 'foreign'],
    ['snap.12', 'foreign'],
  ])
  t.like(entries[10]?.opaqueManifest, { key: `${repository}snap.11/jetbackup.index`, size: database.length })
  t.is(newestSnapshot(entries.slice(9))?.name, 'snap.12', 'it was put there last')
  t.is(entries[2]?.manifest?.created, 1650000035, 'the manifest of a foreign snapshot is known')
  for (const { problem, name } of entries) if (problem) t.true(problem.message.startsWith(repository + name))
})

test('manifests that are known are not read again', async (t) => {
  const { store, folder } = await prepare(t)
  await publishSample(store, folder, 1)
  await publishSample(store, folder, 2)
  await store.put(manifestKey(repository, 3), Buffer.from('no JSON'))
  await store.put(objectKey(`${repository}snap.4/other`), Buffer.from('x'))
  const known = await listSnapshots(store, repository)
  const gets: string[] = []
  const counting: ObjectReader = {
    description: '',
    get: (key, options) => {
      gets.push(key)
      return store.get(key, options)
    },
    getStream: (key, options) => store.getStream(key, options),
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
  }
  t.deepEqual(await listSnapshots(counting, repository, { known }), known)
  t.deepEqual(gets, [])
  await store.delete([manifestKey(repository, 2)])
  await publishSample(store, folder, 5)
  const later = await listSnapshots(counting, repository, { known })
  t.deepEqual(gets, [manifestKey(repository, 5)])
  t.deepEqual(
    later.map(({ name }) => name),
    ['snap.1', 'snap.3', 'snap.4', 'snap.5'],
  )
})

test('a single snapshot is read anew', async (t) => {
  const { store, folder } = await prepare(t)
  await publishSample(store, folder, 1)
  const [listed] = await listSnapshots(store, repository)
  t.deepEqual(await readSnapshot(store, repository, 1), listed)
  t.is(await readSnapshot(store, repository, 2), undefined)
  await store.put(manifestKey(repository, 2), Buffer.from('{}'))
  t.is((await readSnapshot(store, repository, 2))?.problem?.code, 'foreign')
})

test('the newest snapshot is the one created last, and of several the one with the greatest number', async (t) => {
  const { store, folder } = await prepare(t)
  t.is(newestSnapshot([]), undefined)
  await store.put(manifestKey(repository, 9), Buffer.from('no JSON'))
  t.is(newestSnapshot(await listSnapshots(store, repository)), undefined)
  for (const [number, created] of [
    [1, 100],
    [2, 300],
    [3, 300],
    [4, 200],
  ] as const)
    await publishSample(store, folder, number, { created })
  t.is(newestSnapshot(await listSnapshots(store, repository))?.name, 'snap.3')
})

test('more snapshots than fit on one page of a listing', async (t) => {
  const { store } = await prepare(t)
  for (let number = 1; number <= 1100; number++)
    await store.put(manifestKey(repository, number), Buffer.from('{}'))
  const entries = await listSnapshots(store, repository)
  t.is(entries.length, 1100)
  t.true(entries.every(({ number }, i) => number === i + 1))
})

test('a listing can be aborted', async (t) => {
  const { store, folder } = await prepare(t)
  await publishSample(store, folder, 1)
  const reason = new Error('enough')
  await t.throwsAsync(listSnapshots(store, repository, { signal: AbortSignal.abort(reason) }), { is: reason })
})

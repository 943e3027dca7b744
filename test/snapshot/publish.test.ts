import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { indexKey, manifestKey } from '../../src/destination/layout.ts'
import { listSnapshots } from '../../src/snapshot/catalog.ts'
import { openSnapshotIndex } from '../../src/snapshot/index-file.ts'
import { publishSnapshot } from '../../src/snapshot/publish.ts'
import type { DirectoryStore } from '../../src/store/directory-store.ts'
import { StoreError } from '../../src/store/errors.ts'
import type { ObjectStore } from '../../src/store/object-store.ts'
import { emptyStore, manifest, publishSample, repository, totals } from './publish-sample.ts'
import { fileInode, nameOf, temporaryFolder, writeTree } from './write-tree.ts'

async function prepare(t: ExecutionContext): Promise<{ store: DirectoryStore; folder: string }> {
  const folder = await temporaryFolder(t)
  return { store: await emptyStore(folder), folder }
}

/** `store` with another `put`. */
function withPut(store: ObjectStore, put: ObjectStore['put']): ObjectStore {
  return {
    description: store.description,
    get: (key, options) => store.get(key, options),
    getStream: (key, options) => store.getStream(key, options),
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
    parts: store.parts,
    put,
    delete: (keys, options) => store.delete(keys, options),
  }
}

/** The names in the top folder of each snapshot, or the code of why there are none. */
async function contents(store: ObjectStore, folder: string): Promise<Record<string, string[] | string>> {
  const shown: Record<string, string[] | string> = {}
  const cacheDir = join(folder, 'cache')
  for (const entry of await listSnapshots(store, repository))
    try {
      using tree = await openSnapshotIndex({ store, repository, entry, cacheDir, logger: silentLogger })
      shown[entry.name] = [...tree.entries(tree.root, 0)].map(({ name }) => name)
    } catch (error) {
      shown[entry.name] = (error as { code: string }).code
    }
  return shown
}

test('a published snapshot can be read, and nothing is left of the work', async (t) => {
  const { store, folder } = await prepare(t)
  const indexPath = join(folder, 'index')
  writeTree(indexPath, () => {})
  await publishSnapshot({
    store,
    repository,
    number: 1,
    indexPath,
    manifest,
    totals,
    base: { vendor: 'kept' },
  })
  t.deepEqual(await contents(store, folder), { 'snap.1': [] })
  t.deepEqual((await readdir(folder)).toSorted(), ['cache', 'index', 'store'])
  const json = await store.get(manifestKey(repository, 1))
  t.like(JSON.parse(json?.bytes.toString() ?? ''), { vendor: 'kept', jbfs: { format: 1 } })
})

test('the index goes first, the manifest last and only if there is none', async (t) => {
  const { store, folder } = await prepare(t)
  const puts: unknown[] = []
  const recording = withPut(store, (key, body, options) => {
    puts.push([key, options?.ifNoneMatch])
    return store.put(key, body, options)
  })
  await publishSample(recording, folder, 1)
  t.deepEqual(puts, [
    [indexKey(repository, 1), '*'],
    [manifestKey(repository, 1), '*'],
  ])
})

test('a number that exists is refused, and what is there stays', async (t) => {
  const { store, folder } = await prepare(t)
  await publishSample(store, folder, 1, { fileName: 'first' })
  await t.throwsAsync(publishSample(store, folder, 1, { fileName: 'second' }), {
    name: 'SnapshotError',
    code: 'snapshot-exists',
    message: /job\/account\/snap\.1 exists already/,
  })
  t.deepEqual(await contents(store, folder), { 'snap.1': ['first'] })
})

test('a number that something else has taken is refused too', async (t) => {
  const { store, folder } = await prepare(t)
  await store.put(manifestKey(repository, 1), Buffer.from('{}'))
  await t.throwsAsync(publishSample(store, folder, 1), { code: 'snapshot-exists' })
  t.is(await store.head(indexKey(repository, 1)), undefined)
})

test('an index that an interrupted publish left is replaced', async (t) => {
  const { store, folder } = await prepare(t)
  await store.put(indexKey(repository, 1), Buffer.from('half of something'))
  await publishSample(store, folder, 1)
  t.deepEqual(await contents(store, folder), { 'snap.1': ['file'] })
})

test('an aborted publish shows nothing', async (t) => {
  const { store, folder } = await prepare(t)
  const controller = new AbortController()
  const indexPath = join(folder, 'index')
  writeTree(indexPath, () => {})
  const reason = new Error('enough')
  const aborting = withPut(store, async (key, body, options) => {
    const metadata = await store.put(key, body, options)
    controller.abort(reason)
    return metadata
  })
  await t.throwsAsync(
    publishSnapshot({
      store: aborting,
      repository,
      number: 1,
      indexPath,
      manifest,
      totals,
      signal: controller.signal,
    }),
    { is: reason },
  )
  t.deepEqual(await listSnapshots(store, repository), [])
  t.deepEqual((await readdir(folder)).toSorted(), ['index', 'store'])
})

test('an abort that comes when the manifest is put does not make a failure of it', async (t) => {
  const { store, folder } = await prepare(t)
  const controller = new AbortController()
  const indexPath = join(folder, 'index')
  writeTree(indexPath, () => {})
  const aborting = withPut(store, (key, body, options) => {
    if (key === manifestKey(repository, 1)) controller.abort(new Error('enough'))
    return store.put(key, body, options)
  })
  const { signal } = controller
  await publishSnapshot({ store: aborting, repository, number: 1, indexPath, manifest, totals, signal })
  t.deepEqual(await contents(store, folder), { 'snap.1': [] })
})

test('what readers would refuse is not published', async (t) => {
  const { store, folder } = await prepare(t)
  const indexPath = join(folder, 'index')
  writeTree(indexPath, () => {})
  const publish = (given: object): Promise<unknown> =>
    publishSnapshot({ store, repository, number: 1, indexPath, manifest, totals, ...given })
  const items = Array(100_000).fill({ type: 'x', path: 'a folder of many', files: 0, size: 0 })
  await t.throwsAsync(publish({ manifest: { ...manifest, items } }), { code: 'bad-manifest' })
  const invalid = join(folder, 'invalid')
  writeTree(invalid, (working) =>
    working.addDentry(1, nameOf('link'), working.addInode(fileInode({ mode: 0o120777 }))),
  )
  await t.throwsAsync(publish({ indexPath: invalid }), {
    code: 'bad-index',
    message: /^the new file index: /,
  })
  t.deepEqual(await Array.fromAsync(store.list('')), [])
})

for (const isDone of [true, false])
  test(`a put that fails on the way ${isDone ? 'back' : 'there'} is tried again`, async (t) => {
    const { store, folder } = await prepare(t)
    const failed = new Set<string>()
    const failing = withPut(store, async (key, body, options) => {
      const isFirst = !failed.has(key)
      failed.add(key)
      const metadata = isFirst && !isDone ? undefined : await store.put(key, body, options)
      if (isFirst || metadata === undefined) throw new StoreError('unavailable', 'connection reset')
      return metadata
    })
    await publishSample(failing, folder, 1)
    t.is(failed.size, 2)
    t.deepEqual(await contents(store, folder), { 'snap.1': ['file'] })
  })

for (const isNew of [true, false])
  test(`a put that arrives only when it is tried again is ours: ${isNew ? 'a new snapshot' : 'a new state'}`, async (t) => {
    const { store, folder } = await prepare(t)
    const over = isNew ? undefined : await publishSample(store, folder, 1, { fileName: 'before' })
    const late = new Map<string, () => Promise<unknown>>()
    const refused: string[] = []
    const slow = withPut(store, async (key, body, options) => {
      const first = late.get(key)
      if (first === undefined) {
        late.set(key, () => store.put(key, body, options))
        throw new StoreError('timeout', 'no answer in time')
      }
      if (!refused.includes(key)) {
        refused.push(key)
        await first()
      }
      return store.put(key, body, options)
    })
    const { manifestEtag } = await publishSample(slow, folder, 1, { fileName: 'ours', over })
    t.deepEqual(refused, [...late.keys()])
    t.is(late.size, 2)
    t.is((await store.head(manifestKey(repository, 1)))?.etag, manifestEtag)
    t.deepEqual(await contents(store, folder), { 'snap.1': ['ours'] })
  })

for (const isNew of [true, false])
  test(`what somebody else has put between two tries is not ours: ${isNew ? 'a new snapshot' : 'a new state'}`, async (t) => {
    const { store, folder } = await prepare(t)
    const over = isNew ? undefined : await publishSample(store, folder, 1, { fileName: 'before' })
    let tries = 0
    const failing = withPut(store, async (key, body, options) => {
      if (key !== manifestKey(repository, 1)) return store.put(key, body, options)
      tries++
      await store.put(key, Buffer.from('{"by": "somebody else"}'))
      throw new StoreError('unavailable', 'connection reset')
    })
    await t.throwsAsync(publishSample(failing, folder, 1, { over }), {
      code: 'snapshot-exists',
      message: isNew
        ? /exists already: choose another number$/
        : /no longer the state that is to be replaced/,
    })
    t.is(tries, 1)
  })

test('a store that goes on failing is given up, and shows nothing', async (t) => {
  const { store, folder } = await prepare(t)
  const failing = withPut(store, async () => {
    throw new StoreError('unavailable', 'connection reset')
  })
  await t.throwsAsync(publishSample(failing, folder, 1), { name: 'StoreError', code: 'unavailable' })
  t.deepEqual(await listSnapshots(store, repository), [])
})

test('of publishes at a time exactly one succeeds', async (t) => {
  const { store, folder } = await prepare(t)
  const fileNames = ['a', 'b', 'c', 'd']
  const results = await Promise.allSettled(
    fileNames.map((fileName) => publishSample(store, folder, 1, { fileName })),
  )
  const winners = fileNames.filter((_, i) => results[i]?.status === 'fulfilled')
  t.is(winners.length, 1)
  for (const result of results) if (result.status === 'rejected') t.is(result.reason.code, 'snapshot-exists')
  t.deepEqual(await contents(store, folder), { 'snap.1': winners })
})

test('a publish whose index another one takes for left over takes its manifest back', async (t) => {
  const { store, folder } = await prepare(t)
  const robbed = withPut(store, async (key, body, options) => {
    if (key === manifestKey(repository, 1))
      await store.put(indexKey(repository, 1), Buffer.from('the index of another'))
    return store.put(key, body, options)
  })
  await t.throwsAsync(publishSample(robbed, folder, 1), { code: 'snapshot-exists' })
  t.deepEqual(await listSnapshots(store, repository), [])
})

test('a writer that dies before the manifest of a new state leaves the old one whole, also for who comes then', async (t) => {
  const { store, folder } = await prepare(t)
  let over = await publishSample(store, folder, 1, { fileName: 'first' })
  const dying = withPut(store, (key, body, options) =>
    key === manifestKey(repository, 1)
      ? Promise.reject(new Error('the process is gone'))
      : store.put(key, body, options),
  )
  for (const [before, next] of [
    ['first', 'second'],
    ['second', 'third'],
    ['third', 'fourth'],
  ] as const) {
    await t.throwsAsync(publishSample(dying, folder, 1, { fileName: 'never', over }))
    t.deepEqual(await contents(store, folder), { 'snap.1': [before] })
    over = await publishSample(store, folder, 1, { fileName: next, over })
    t.deepEqual(await contents(store, folder), { 'snap.1': [next] })
  }
})

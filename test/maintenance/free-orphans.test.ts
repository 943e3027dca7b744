import test, { type ExecutionContext } from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { fileKey, indexKey, indexKeys, manifestKey } from '../../src/destination/layout.ts'
import { checkRepository } from '../../src/maintenance/check-repository.ts'
import { type FoundOrphans, findOrphans } from '../../src/maintenance/find-orphans.ts'
import { type FreeOptions, freeOrphans, nothingFreed } from '../../src/maintenance/free-orphans.ts'
import { type CatalogEntry, readSnapshot } from '../../src/snapshot/catalog.ts'
import type { ObjectStore } from '../../src/store/object-store.ts'
import { emptyStore } from '../snapshot/publish-sample.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'
import { idAt, keysOf, oldTime, publishContents } from '../support/planted-destination.ts'

const repository = 'a/'
const needed = idAt(oldTime, 1)
const orphans = Array.from({ length: 1500 }, (_, n) => idAt(oldTime, n + 10))

interface Prepared {
  readonly store: ObjectStore
  readonly folder: string
  readonly options: FreeOptions
  find(): Promise<FoundOrphans>
}

async function prepare(t: ExecutionContext): Promise<Prepared> {
  const folder = await temporaryFolder(t)
  const store = await emptyStore(folder)
  await publishContents(store, folder, { repository, number: 1, contents: { [needed]: 'needed' } })
  for (const id of orphans) await store.put(fileKey(repository, id), Buffer.from(id))
  await store.put(indexKey(repository, 2), Buffer.from('left over'))
  const options = { store, temporary: folder, logger: silentLogger, onProgress: () => {} }
  return {
    store,
    folder,
    options,
    async find() {
      const rule = { now: Date.now() / 1000 + 10, grace: 5 }
      const found = await findOrphans({ ...options, repository, rule })
      if ('reason' in found) throw new Error(found.reason)
      t.is(found.objects.amount.count, orphans.length)
      t.is(found.indexes.length, 1)
      return found
    },
  }
}

test('what a snapshot refers to that is published meanwhile stays, and so does its index', async (t) => {
  const { store, folder, options, find } = await prepare(t)
  const found = await find()
  const [first = '', last = ''] = [orphans[0], orphans.at(-1)]
  await publishContents(store, folder, { repository, number: 2, contents: { [first]: 'first' } })
  let hasPublished = false
  const freed = nothingFreed()
  // Another one between the two requests that delete.
  const racing: ObjectStore = {
    description: store.description,
    get: (key, options) => store.get(key, options),
    getStream: (key, options) => store.getStream(key, options),
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
    parts: store.parts,
    put: (key, body, options) => store.put(key, body, options),
    async delete(keys, options) {
      await store.delete(keys, options)
      if (!hasPublished)
        await publishContents(store, folder, { repository, number: 3, contents: { [last]: 'last' } })
      hasPublished = true
    },
  }
  t.is(await freeOrphans(found, freed, { ...options, store: racing }), undefined)
  t.is(freed.objects.count, orphans.length - 2)
  t.is(freed.indexes.count, 0)
  const expected = [
    ...[needed, first, last].map((id) => fileKey(repository, id)),
    ...[1, 2, 3].flatMap((n) => [indexKey(repository, n), manifestKey(repository, n)]),
  ]
  t.deepEqual(await keysOf(store), expected.sort())
})

test('a snapshot that appears meanwhile and cannot be read ends it', async (t) => {
  const { store, options, find } = await prepare(t)
  const found = await find()
  await store.put(manifestKey(repository, 7), Buffer.from('{}'))
  const freed = nothingFreed()
  t.regex((await freeOrphans(found, freed, options)) ?? '', /a\/snap\.7 was not written by jbfs/)
  t.is(freed.objects.count, 0)
})

test('it may be interrupted between any two requests, and goes on another time', async (t) => {
  const { store, options, find } = await prepare(t)
  const interruption = new AbortController()
  const freed = nothingFreed()
  const onProgress = (): void => interruption.abort(new Error('interrupted'))
  await t.throwsAsync(
    freeOrphans(await find(), freed, { ...options, onProgress, signal: interruption.signal }),
    {
      message: 'interrupted',
    },
  )
  t.is(freed.objects.count, 1000)
  t.is((await keysOf(store)).filter((key) => key.startsWith('a/files/')).length, orphans.length + 1 - 1000)
  const rule = { now: Date.now() / 1000 + 10, grace: 5 }
  const rest = (await findOrphans({ ...options, repository, rule, onProgress: () => {} })) as FoundOrphans
  await freeOrphans(rest, freed, options)
  t.is(freed.objects.count, orphans.length)
  t.deepEqual(await keysOf(store), [indexKey('a/', 1), fileKey('a/', needed), manifestKey('a/', 1)].sort())
})

test('of the two places of an index the one that the manifest does not name is left over', async (t) => {
  const { store, folder, options } = await prepare(t)
  const [first, second] = indexKeys(repository, 1)
  const before = await readSnapshot(store, repository, 1)
  const publishAgain = (over: CatalogEntry | undefined): Promise<void> =>
    publishContents(store, folder, { repository, number: 1, contents: { [needed]: 'needed' }, over })
  await publishAgain(before)
  t.is((await readSnapshot(store, repository, 1))?.manifest?.jbfs?.index.key, 'export/snap.1.1')
  const find = async (grace: number): Promise<FoundOrphans> => {
    const rule = { now: Date.now() / 1000 + 10, grace }
    return (await findOrphans({ ...options, repository, rule, onProgress: () => {} })) as FoundOrphans
  }
  t.deepEqual((await find(3600)).indexes, [])
  const found = await find(5)
  t.deepEqual(found.indexes.map(({ key }) => key).sort(), [first, indexKey(repository, 2)].sort())
  {
    const { checked } = await checkRepository({
      ...options,
      reader: store,
      repository,
      onProgress: () => {},
    })
    t.is(checked.orphanedIndexes.count, 2)
  }
  await freeOrphans(found, nothingFreed(), options)
  t.is(await store.head(first), undefined)
  t.not(await store.head(second), undefined)

  await store.put(first, Buffer.from('left over by an interrupted publish'))
  const late = await find(5)
  t.deepEqual(
    late.indexes.map(({ key }) => key),
    [first],
  )
  // The state that is published meanwhile has its index there.
  await publishAgain(await readSnapshot(store, repository, 1))
  await freeOrphans(late, nothingFreed(), options)
  const { checked } = await checkRepository({
    ...options,
    reader: store,
    repository,
    onProgress: () => {},
  })
  t.deepEqual(checked.snapshots, ['snap.1'])
  t.is(checked.orphanedIndexes.count, 1)
})

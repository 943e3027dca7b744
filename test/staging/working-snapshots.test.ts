import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { type CatalogEntry, listSnapshots, readSnapshot } from '../../src/snapshot/catalog.ts'
import type { PublishTimes } from '../../src/staging/publish-when-idle.ts'
import { WorkingSnapshots } from '../../src/staging/working-snapshots.ts'
import { StoreError } from '../../src/store/errors.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { openFiles } from '../support/open-files.ts'
import { addFile, name, repository, top, until } from './working.ts'

interface Destination {
  readonly store: MemoryStore
  readonly folder: string
  /** Of each publish and removal: the snapshot's number, and whether it is there. */
  readonly announced: [number, boolean][]
  open(times?: PublishTimes): Promise<WorkingSnapshots>
}

async function destination(t: ExecutionContext): Promise<Destination> {
  const folder = await temporaryFolder(t)
  const store = new MemoryStore()
  const announced: [number, boolean][] = []
  const opened: WorkingSnapshots[] = []
  t.teardown(async () => {
    store.before = () => {}
    for (const snapshots of opened) await snapshots[Symbol.asyncDispose]()
  })
  return {
    store,
    folder: join(folder, 'working'),
    announced,
    async open(times) {
      const snapshots = await WorkingSnapshots.open({
        folder: join(folder, 'working'),
        store,
        cacheDir: join(folder, 'cache'),
        stagingBytes: 1 << 30,
        concurrency: 4,
        logger: silentLogger,
        writer: 'jbfs test',
        onPublished: (_, number, entry) => void announced.push([number, entry !== undefined]),
        times,
      })
      opened.push(snapshots)
      return snapshots
    },
  }
}

const entryOf = async (store: MemoryStore, number: number): Promise<CatalogEntry> => {
  const entry = await readSnapshot(store, repository, number)
  if (entry === undefined) throw new Error('it is not published')
  return entry
}

/** Of `snap.1`, as long as there is no manifest. */
const unpublished: CatalogEntry = {
  number: 1,
  name: 'snap.1',
  manifestEtag: '',
  manifest: undefined,
  problem: undefined,
}

test('one that is begun is there for this mount, and the next, and published with all others', async (t) => {
  const { store, open, folder } = await destination(t)
  {
    await using snapshots = await open()
    const one = snapshots.begin(repository, 1, top)
    snapshots.begin('other/', 7, top)
    t.is(snapshots.get(repository, 1), one)
    t.is(snapshots.get(repository, 2), undefined)
    t.deepEqual(snapshots.numbers(repository), [1])
    t.deepEqual(snapshots.repositories(), [repository, 'other/'])
    addFile(one.tree, 'f')
    t.like(snapshots.pending(), { files: 0, bytes: 0, snapshots: 2 })
  }
  t.deepEqual(readdirSync(folder).sort(), ['1', '2'])
  {
    await using snapshots = await open()
    const one = snapshots.get(repository, 1)
    t.truthy(one?.tree.lookup(one.tree.root, name('f')))
    t.deepEqual(snapshots.numbers('other/'), [7])
    await snapshots.publish()
    t.deepEqual(snapshots.numbers(repository), [1])
    t.is(snapshots.pending().snapshots, 0)
  }
  t.deepEqual(readdirSync(folder), [], 'what is published leaves nothing')
  t.deepEqual(
    (await listSnapshots(store, repository)).map(({ number }) => number),
    [1],
  )
})

test('whoever changes a published one at a time with others gets the same', async (t) => {
  const { store, open } = await destination(t)
  const snapshots = await open()
  snapshots.begin(repository, 1, top)
  await snapshots.publish()
  const next = await open()
  const entry = await entryOf(store, 1)
  const both = await Promise.all([next.change(repository, entry), next.change(repository, entry)])
  t.is(both[0], both[1])
  t.is(await next.change(repository, entry), both[0])
  t.deepEqual(next.numbers(repository), [1])
})

test('same bytes are sent once in a repository, also those of earlier snapshots', async (t) => {
  const { store, open } = await destination(t)
  const write = async (snapshots: WorkingSnapshots, number: number): Promise<void> => {
    const snapshot = snapshots.begin(repository, number, top)
    const file = addFile(snapshot.tree, 'f')
    snapshot.opened(file, true)
    await snapshot.write(file, 0, Buffer.from('the same'), false)
    snapshot.closed(file, true)
  }
  {
    await using snapshots = await open()
    await write(snapshots, 1)
    await write(snapshots, 2)
    await snapshots.publish()
  }
  await using snapshots = await open()
  await write(snapshots, 3)
  await snapshots.publish()
  t.is([...store.objects.keys()].filter((key) => key.includes('/files/')).length, 1)
})

test('a snapshot is published when it is left alone, and again when it was changed', async (t) => {
  const { open, announced } = await destination(t)
  await using snapshots = await open({ idle: 30, longest: 60_000, lookEvery: 5, share: 1 })
  const snapshot = snapshots.begin(repository, 1, top)
  await until(() => announced.length === 1)
  t.true(snapshot.isPublished)
  addFile(snapshot.tree, 'f')
  await until(() => announced.length === 2)
  t.true(snapshot.isPublished)
})

test('a snapshot that never rests is published all the same', async (t) => {
  const { open, announced } = await destination(t)
  await using snapshots = await open({ idle: 60_000, longest: 50, lookEvery: 5, share: 1 })
  const snapshot = snapshots.begin(repository, 1, top)
  for (let i = 0; announced.length < 1; i++) {
    addFile(snapshot.tree, `${i}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  t.pass()
})

test('what fails to be published is told of, and tried again', async (t) => {
  const { open, store, announced } = await destination(t)
  await using snapshots = await open({ idle: 10, longest: 60_000, lookEvery: 5, share: 1 })
  const snapshot = snapshots.begin(repository, 1, top)
  const file = addFile(snapshot.tree, 'f')
  snapshot.opened(file, true)
  await snapshot.write(file, 0, Buffer.from('text'), false)
  store.before = (call) => {
    if (call === 'put') throw new StoreError('access-denied', 'not today')
  }
  await until(() => snapshots.pending().failures.length === 1)
  t.deepEqual(snapshots.pending(), {
    files: 1,
    bytes: 4,
    snapshots: 1,
    failures: [{ snapshot: `${repository}snap.1`, inode: file, error: 'not today' }],
  })
  await t.throwsAsync(snapshots.publish(), { code: 'access-denied' })
  store.before = () => {}
  await until(() => announced.length === 1)
  t.deepEqual(snapshots.pending(), { files: 0, bytes: 0, snapshots: 0, failures: [] })
})

test('what keeps a snapshot from being published is told of where all its files are stored', async (t) => {
  const { open, store } = await destination(t)
  await using snapshots = await open()
  const snapshot = snapshots.begin(repository, 1, top)
  store.before = (call) => {
    if (call === 'put') throw new StoreError('access-denied', 'not today')
  }
  await t.throwsAsync(snapshots.publish(), { code: 'access-denied' })
  t.deepEqual(snapshots.pending(), {
    files: 0,
    bytes: 0,
    snapshots: 1,
    failures: [{ snapshot: `${repository}snap.1`, error: 'not today' }],
  })
  store.before = () => {}
  await snapshot.publish({})
  addFile(snapshot.tree, 'f')
  t.deepEqual(snapshots.pending(), { files: 0, bytes: 0, snapshots: 1, failures: [] })
})

test('a removed one is gone for all, here and in the store', async (t) => {
  const { open, store, announced, folder } = await destination(t)
  await using snapshots = await open()
  snapshots.begin(repository, 1, top)
  await snapshots.publish()
  await snapshots.remove(repository, await entryOf(store, 1))
  t.is(snapshots.get(repository, 1), undefined)
  t.deepEqual([...store.objects.keys()], [])
  t.deepEqual(readdirSync(folder), [])
  t.deepEqual(announced, [
    [1, true],
    [1, false],
  ])
})

test('a renumbering whose answer is lost is found out to be done', async (t) => {
  const { open, store } = await destination(t)
  await using snapshots = await open()
  const snapshot = snapshots.begin(repository, 1, top)
  await snapshots.publish()
  store.after = (call, key) => {
    if (call === 'put' && key.includes('snap.2/')) throw new StoreError('access-denied', 'the answer is lost')
  }
  await snapshots.renumber(repository, await entryOf(store, 1), 2, {})
  store.after = () => {}
  t.is(snapshots.get(repository, 1), undefined)
  t.is(snapshots.get(repository, 2), snapshot)
  await snapshots.publish()
  const [index] = [...store.objects.keys()].filter((key) => key.includes('export/'))
  t.is(index?.includes('snap.2'), true)
  t.is(await readSnapshot(store, repository, 1), undefined)
  t.is((await entryOf(store, 2)).problem, undefined)
})

test('one that is removed while it is being published does not come back', async (t) => {
  const { open, store, folder } = await destination(t)
  await using snapshots = await open()
  const snapshot = snapshots.begin(repository, 1, top)
  const gate = Promise.withResolvers<void>()
  let puts = 0
  store.before = (call) => (call === 'put' && puts++ === 1 ? gate.promise : undefined)
  const publishing = snapshots.publish()
  await until(() => puts === 2)
  // Its turn comes after the removal has begun.
  addFile(snapshot.tree, 'f')
  const next = t.throwsAsync(snapshot.publish({}), { code: 'no-name' })
  const removing = snapshots.remove(repository, unpublished)
  gate.resolve()
  await Promise.all([publishing, removing, next])
  t.deepEqual([...store.objects.keys()], [])
  t.deepEqual(readdirSync(folder), [])
})

test('what publishes by itself goes on when a snapshot is removed meanwhile', async (t) => {
  const { open, store, announced } = await destination(t)
  await using snapshots = await open({ idle: 1, longest: 60_000, lookEvery: 1, share: 1 })
  const snapshot = snapshots.begin(repository, 1, top)
  snapshots.begin(repository, 2, top)
  const [putting, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  store.before = (call, key) => {
    if (call !== 'put' || !key.includes('snap.1')) return undefined
    putting.resolve()
    return gate.promise
  }
  await putting.promise
  await snapshots.remove(repository, { ...unpublished, number: 2, name: 'snap.2' })
  gate.resolve()
  await until(() => announced.length === 2)
  addFile(snapshot.tree, 'f')
  await until(() => announced.length === 3)
  t.deepEqual(announced, [
    [2, false],
    [1, true],
    [1, true],
  ])
})

test('a folder that was being removed is nothing to take up', async (t) => {
  const { open, folder } = await destination(t)
  mkdirSync(join(folder, '7.gone', 'contents'), { recursive: true })
  writeFileSync(join(folder, '7.gone', 'contents', '2'), 'no longer wanted')
  await using snapshots = await open()
  t.deepEqual(readdirSync(folder), [])
  t.deepEqual(snapshots.repositories(), [])
})

test('a removal that fails can be tried again', async (t) => {
  const { open, store, folder } = await destination(t)
  await using snapshots = await open()
  const snapshot = snapshots.begin(repository, 1, top)
  await snapshots.publish()
  const entry = await entryOf(store, 1)
  store.before = (call) => {
    if (call === 'delete') throw new StoreError('unavailable', 'not today')
  }
  await t.throwsAsync(snapshots.remove(repository, entry), { code: 'unavailable' })
  t.is(snapshots.get(repository, 1), snapshot)
  store.before = () => {}
  await snapshots.remove(repository, entry)
  t.deepEqual(readdirSync(folder), [])
})

test('a removal that a crash has interrupted is ended by the next mount', async (t) => {
  const { open, store, folder } = await destination(t)
  const snapshots = await open()
  snapshots.begin(repository, 1, top)
  await snapshots.publish()
  store.before = (call, key) => {
    if (call === 'delete' && key.includes('export/')) throw new StoreError('unavailable', 'a crash')
  }
  await t.throwsAsync(snapshots.remove(repository, await entryOf(store, 1)))
  store.before = () => {}
  const next = await open()
  t.is(next.get(repository, 1), undefined)
  t.deepEqual([...store.objects.keys()], [])
  t.deepEqual(readdirSync(folder), [])
})

test('what was never begun whole is removed, and what somebody else has published ends the mount', async (t) => {
  const { open, store, folder } = await destination(t)
  {
    await using snapshots = await open()
    const snapshot = snapshots.begin(repository, 1, top)
    addFile(snapshot.tree, 'f')
  }
  mkdirSync(join(folder, '5'))
  {
    await using snapshots = await open()
    t.deepEqual(readdirSync(folder), ['1'])
    t.deepEqual(snapshots.numbers(repository), [1])
  }
  const key = `${repository}snap.1/jetbackup.index`
  store.objects.set(key, Buffer.from('{}'))
  await t.throwsAsync(open(), { code: 'snapshot-exists' })
  store.objects.delete(key)
  await using snapshots = await open()
  t.deepEqual(snapshots.numbers(repository), [1])
})

/** Work that waits is not taken up over an empty store, and still there afterwards. */
async function isRefusedElsewhere(
  t: ExecutionContext,
  { open, store, folder }: Pick<Destination, 'open' | 'store' | 'folder'>,
): Promise<void> {
  const there = [...store.objects]
  store.objects.clear()
  await t.throwsAsync(open(), { code: 'elsewhere', message: /is this the destination .* its disk mounted/ })
  t.deepEqual(readdirSync(folder), ['1'])
  for (const [key, bytes] of there) store.objects.set(key, bytes)
}

test('what was stored on one server is not published on another one with a bucket of the same name', async (t) => {
  const { open, store, folder } = await destination(t)
  {
    await using snapshots = await open()
    const snapshot = snapshots.begin(repository, 1, top)
    for (const title of ['a', 'b']) {
      const file = addFile(snapshot.tree, title)
      await snapshot.write(file, 0, Buffer.from(title), false)
      await snapshot.store(file, {})
    }
  }
  const stored = [...store.objects.keys()]
  await isRefusedElsewhere(t, { open, store, folder })
  t.deepEqual(await openFiles(folder), [])
  // One that is damaged is no other server.
  store.objects.delete(stored[0] as string)
  await using snapshots = await open()
  t.deepEqual(snapshots.numbers(repository), [1])
})

test('what was published and is gone with its destination is not published anew, and waits where something does', async (t) => {
  const { open, store, folder } = await destination(t)
  {
    await using snapshots = await open()
    const snapshot = snapshots.begin(repository, 1, top)
    addFile(snapshot.tree, 'f')
    await snapshots.publish()
    addFile(snapshot.tree, 'g')
  }
  await isRefusedElsewhere(t, { open, store, folder })
  const snapshots = await open()
  await snapshots.publish()
  t.deepEqual(await numbersIn(store), [1])
})

test('of what could not be taken up as the store did not answer nothing goes on', async (t) => {
  const { open, store, folder } = await destination(t)
  {
    await using snapshots = await open()
    snapshots.begin(repository, 1, top)
  }
  store.before = () => {
    throw new StoreError('unavailable', 'not today')
  }
  await t.throwsAsync(open(), { code: 'unavailable' })
  t.deepEqual(await openFiles(folder), [])
})

test('one is given another number for all, here and in the store', async (t) => {
  const { open, store, announced } = await destination(t)
  await using snapshots = await open()
  const snapshot = snapshots.begin(repository, 1, top)
  await snapshots.publish()
  await snapshots.renumber(repository, await entryOf(store, 1), 5, {})
  t.is(snapshots.get(repository, 5), snapshot)
  t.is(snapshots.get(repository, 1), undefined)
  t.is(snapshot.number, 5)
  t.true(snapshot.isPublished)
  t.deepEqual([...store.objects.keys()].sort(), [
    `${repository}export/snap.5`,
    `${repository}snap.5/jetbackup.index`,
  ])
  t.deepEqual(announced, [
    [1, true],
    [5, true],
    [1, false],
  ])
})

test('one that is given another number keeps what its manifest says', async (t) => {
  const { open, store } = await destination(t)
  {
    await using snapshots = await open()
    snapshots.begin(repository, 1, top)
    await snapshots.publish()
  }
  const key = `${repository}snap.1/jetbackup.index`
  const manifest = JSON.parse(String(store.objects.get(key)))
  store.objects.set(
    key,
    Buffer.from(JSON.stringify({ ...manifest, account: 'other', suspended: true, vendor: { kept: 1 } })),
  )
  await using snapshots = await open()
  await snapshots.renumber(repository, await entryOf(store, 1), 5, {})
  const renumbered = JSON.parse(String(store.objects.get(`${repository}snap.5/jetbackup.index`)))
  t.like(renumbered, { account: 'other', suspended: true, vendor: { kept: 1 } })
  t.is(renumbered.jbfs.index.key, 'export/snap.5')
})

for (const [why, isRefused] of [
  ['refused', (call: string, key: string) => call === 'put' && key.includes('snap.5')],
  ['no store to be reached', () => true],
] as const)
  test(`one that cannot be given another number keeps its own: ${why}`, async (t) => {
    const { open, store } = await destination(t)
    await using snapshots = await open()
    const snapshot = snapshots.begin(repository, 1, top)
    await snapshots.publish()
    const entry = await entryOf(store, 1)
    store.before = (call, key) => {
      if (isRefused(call, key)) throw new StoreError('access-denied', 'not today')
    }
    await t.throwsAsync(snapshots.renumber(repository, entry, 5, {}), { code: 'access-denied' })
    store.before = () => {}
    t.is(snapshots.get(repository, 1), snapshot)
    t.is(snapshots.get(repository, 5), undefined)
    addFile(snapshot.tree, 'f')
    await snapshots.publish()
    t.not((await entryOf(store, 1)).manifestEtag, entry.manifestEtag)
    await snapshots.renumber(repository, await entryOf(store, 1), 5, {})
    t.deepEqual(
      (await listSnapshots(store, repository)).map(({ number }) => number),
      [5],
    )
  })

/** One that is snap.5 now, and still there as snap.1, as a removal of it fails. */
async function halfRenumbered(
  t: ExecutionContext,
  times?: PublishTimes,
): Promise<Destination & { snapshots: WorkingSnapshots }> {
  const place = await destination(t)
  const { open, store } = place
  const snapshots = await open(times)
  snapshots.begin(repository, 1, top)
  await snapshots.publish()
  store.before = (call) => {
    if (call === 'delete') throw new StoreError('unavailable', 'not today')
  }
  await snapshots.renumber(repository, await entryOf(store, 1), 5, {})
  t.deepEqual(await numbersIn(store), [1, 5])
  return { ...place, snapshots }
}

const numbersIn = async (store: MemoryStore): Promise<number[]> =>
  (await listSnapshots(store, repository)).map(({ number }) => number)

/** One that is snap.5 now, and still there as snap.1, as nobody could tell whether its manifest was put; `isPut`: it was. */
async function uncertain(
  t: ExecutionContext,
  isPut: boolean,
): Promise<Destination & { snapshots: WorkingSnapshots }> {
  const place = await destination(t)
  const { open, store } = place
  const snapshots = await open()
  const snapshot = snapshots.begin(repository, 1, top)
  await snapshots.publish()
  let isLost = false
  store[isPut ? 'after' : 'before'] = (call, key) => {
    isLost ||= call === 'put' && key.includes('snap.5/')
    if (isLost) throw new StoreError('access-denied', 'the answer is lost')
  }
  await snapshots.renumber(repository, await entryOf(store, 1), 5, {})
  store.before = store.after = () => {}
  t.is(snapshots.get(repository, 1), undefined)
  t.is(snapshots.get(repository, 5), snapshot)
  t.deepEqual(snapshots.numbers(repository), [5])
  t.deepEqual(await numbersIn(store), isPut ? [1, 5] : [1])
  return { ...place, snapshots }
}

for (const isPut of [true, false]) {
  const title = `a renumbering whose answer is lost, ${isPut ? '' : 'un'}done, with no store to ask`
  test(`${title}, is told of and ended by the next publish`, async (t) => {
    const { store, snapshots } = await uncertain(t, isPut)
    t.like(snapshots.pending(), {
      snapshots: 1,
      failures: [{ snapshot: `${repository}snap.5`, error: 'the answer is lost' }],
    })
    await snapshots.publish()
    t.deepEqual(await numbersIn(store), [5])
    t.like(snapshots.pending(), { snapshots: 0, failures: [] })
  })

  test(`${title}, is ended by the next mount`, async (t) => {
    const { store, snapshots, open } = await uncertain(t, isPut)
    await snapshots[Symbol.asyncDispose]()
    await using next = await open()
    await next.publish()
    t.deepEqual(await numbersIn(store), [5])
  })

  test(`${title}, is ended before another one`, async (t) => {
    const { store, snapshots } = await uncertain(t, isPut)
    await snapshots.renumber(repository, { ...(await entryOf(store, 1)), number: 5, name: 'snap.5' }, 7, {})
    t.deepEqual(await numbersIn(store), [7])
  })

  test(`${title}, leaves nothing of one that is removed`, async (t) => {
    const { store, snapshots } = await uncertain(t, isPut)
    await snapshots.remove(repository, { ...(await entryOf(store, 1)), number: 5, name: 'snap.5' })
    t.deepEqual([...store.objects.keys()], [])
  })
}

test('what is left under an old number is told of, and removed with the next publish', async (t) => {
  const { store, snapshots, announced } = await halfRenumbered(t)
  t.like(snapshots.pending(), {
    snapshots: 1,
    failures: [
      { snapshot: `${repository}snap.1`, error: 'it is snap.5 now, and could not be removed: not today' },
    ],
  })
  await t.throwsAsync(snapshots.publish(), { code: 'unavailable' })
  await t.throwsAsync(snapshots.renumber(repository, await entryOf(store, 5), 6, {}), { code: 'unavailable' })
  await t.throwsAsync(snapshots.remove(repository, await entryOf(store, 5)), { code: 'unavailable' })
  store.before = () => {}
  await snapshots.publish()
  t.deepEqual([...store.objects.keys()].sort(), [
    `${repository}export/snap.5`,
    `${repository}snap.5/jetbackup.index`,
  ])
  t.deepEqual(announced.at(-1), [1, false])
  t.like(snapshots.pending(), { snapshots: 0, failures: [] })
})

test('what is left under an old number is removed by itself', async (t) => {
  const { store } = await halfRenumbered(t, { idle: 60_000, longest: 10, lookEvery: 5, share: 1 })
  store.before = () => {}
  await until(() => !store.objects.has(`${repository}export/snap.1`))
  t.deepEqual(await numbersIn(store), [5])
})

test('what is left under an old number at the end is removed by the next mount', async (t) => {
  const { store, snapshots, folder, open } = await halfRenumbered(t)
  await snapshots[Symbol.asyncDispose]()
  t.deepEqual(readdirSync(folder), ['1'])
  store.before = () => {}
  {
    await using next = await open()
    t.is(next.pending().snapshots, 1)
    await next.publish()
  }
  t.deepEqual(await numbersIn(store), [5])
  t.deepEqual(readdirSync(folder), [])
})

test('a crash before the new number is published is followed by all of the renumbering', async (t) => {
  const { open, store } = await destination(t)
  const snapshots = await open()
  snapshots.begin(repository, 1, top)
  await snapshots.publish()
  // As good as dead, in the middle.
  const [putting, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  t.teardown(() => end.reject(new StoreError('unavailable', 'a crash')))
  store.before = (call, key) => {
    if (call !== 'put' || !key.includes('snap.5')) return undefined
    putting.resolve()
    return end.promise
  }
  snapshots.renumber(repository, await entryOf(store, 1), 5, {}).catch(() => {})
  await putting.promise
  store.before = () => {}
  const next = await open()
  await next.publish()
  t.deepEqual(await numbersIn(store), [5])
})

test('what somebody makes of an old number stays', async (t) => {
  const { store, snapshots } = await halfRenumbered(t)
  const changed = await snapshots.change(repository, await entryOf(store, 1))
  addFile(changed.tree, 'f')
  store.before = () => {}
  await snapshots.publish()
  t.deepEqual(await numbersIn(store), [1, 5])
  t.like(snapshots.pending(), { snapshots: 0, failures: [] })
})

test('what publishes by itself waits for a large file that is being written, and nobody else does', async (t) => {
  const { open, announced } = await destination(t)
  const snapshots = await open({ idle: 1, longest: 1_000, lookEvery: 1, share: 1 })
  const snapshot = snapshots.begin(repository, 1, top)
  const file = addFile(snapshot.tree, 'f')
  snapshot.opened(file, true)
  const piece = Buffer.alloc(1 << 20, 'x')
  for (let at = 0; at < 70; at++) await snapshot.write(file, at * piece.length, piece, false)
  t.true(snapshot.isGrowing)
  const before = announced.length
  const waited = performance.now() + 100
  await until(() => performance.now() > waited)
  t.is(announced.length, before)
  await snapshots.publish()
  t.is(announced.length, before + 1)
  await snapshot.write(file, 70 * piece.length, piece, false)
  snapshot.closed(file, true)
  await until(() => announced.length > before + 1)
})

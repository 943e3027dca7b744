import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { listSnapshots, readSnapshot } from '../../src/snapshot/catalog.ts'
import { keepSnapshotIndex, openSnapshotIndex } from '../../src/snapshot/index-file.ts'
import type { Ino, OwnInode } from '../../src/snapshot/tree.ts'
import { databaseName } from '../../src/staging/working-schema.ts'
import { WorkingSnapshot } from '../../src/staging/working-snapshot.ts'
import { StoreError } from '../../src/store/errors.ts'
import { openFiles } from '../support/open-files.ts'
import {
  addFile,
  addFolder,
  name,
  names,
  owner,
  repository,
  type Staging,
  staging,
  turn,
  until,
} from './working.ts'

/** What a reader elsewhere sees of `snap.1`: paths with the texts of files. */
async function shown({ store, folder }: Staging): Promise<Record<string, string>> {
  const [entry] = await listSnapshots(store, repository)
  if (entry === undefined) return {}
  using tree = await openSnapshotIndex({
    store,
    repository,
    entry,
    cacheDir: join(folder, 'cache'),
    logger: silentLogger,
  })
  const found: Record<string, string> = {}
  const walk = (parent: Ino, path: string): void => {
    for (const { name: text, inode } of tree.entries(parent, 0)) {
      const { object, mode } = inode
      found[path + text] = object === undefined ? '' : String(store.objects.get(object.key))
      if ((mode & 0o170000) === 0o40000) walk(inode.ino, `${path}${text}/`)
    }
  }
  walk(tree.root, '')
  return found
}

async function put(snapshot: WorkingSnapshot, ino: Ino, text: string): Promise<void> {
  snapshot.opened(ino, true)
  await snapshot.resize(ino, 0, false)
  await snapshot.write(ino, 0, Buffer.from(text), false)
  snapshot.closed(ino, true)
}

/** Makes a changeable one of what is published. */
async function change(prepared: Staging, folder: string): Promise<WorkingSnapshot> {
  const { store } = prepared
  const entry = await readSnapshot(store, repository, 1)
  if (entry === undefined) throw new Error('nothing is published')
  const cacheDir = join(prepared.folder, 'cache')
  const index = await keepSnapshotIndex({ store, repository, entry, cacheDir, logger: silentLogger })
  return WorkingSnapshot.change(prepared.optionsAt(folder), { repository, entry, index })
}

test('one that is begun is nowhere but here until it is published', async (t) => {
  const prepared = await staging(t)
  const snapshot = prepared.begin()
  t.is(snapshot.publishing.baseEtag, undefined)
  t.false(snapshot.isPublished)
  t.like(snapshot.tree.inode(snapshot.tree.root), { mode: 0o40755, uid: 3, gid: 4, nlink: 2 })
  t.deepEqual(await listSnapshots(prepared.store, repository), [])
  const folder = addFolder(snapshot.tree, 'd')
  await put(snapshot, addFile(snapshot.tree, 'f', folder), 'text')
  await snapshot.publish({})
  t.true(snapshot.isPublished)
  t.is(snapshot.publishing.baseEtag, prepared.published[0]?.manifestEtag)
  t.deepEqual(await shown(prepared), { d: '', 'd/f': 'text' })
  const { manifest } = prepared.published[0] ?? {}
  t.deepEqual(manifest?.items, [{ type: 'd', path: 'd', files: 1, size: 4 }])
  t.like(manifest?.jbfs, { writer: 'jbfs test', files: 1, folders: 2, bytes: 4 })
  t.like(manifest?.jbfs?.root, { mode: 0o40755, uid: 3, gid: 4, nlink: 3 })
  t.is(manifest?.account, 'account')
  await snapshot.publish({})
  t.is(prepared.published.length, 1, 'there was nothing to publish')
  t.deepEqual(readdirSync(snapshot.folder).sort(), [
    'contents',
    'manifest.json',
    'working.sqlite',
    'working.sqlite-shm',
    'working.sqlite-wal',
  ])
})

test('a published one is changed, and published again', async (t) => {
  const prepared = await staging(t)
  const first = prepared.begin()
  await put(first, addFile(first.tree, 'a'), 'one')
  await put(first, addFile(first.tree, 'b'), 'two')
  await first.publish({})
  await using second = await change(prepared, '2')
  t.true(second.isPublished)
  const a = second.tree.lookup(second.tree.root, name('a')) as OwnInode
  t.is(second.stateOf(a.ino), 'published')
  await put(second, a.ino, 'changed')
  second.tree.unlink(second.tree.root, name('b'))
  t.deepEqual(await shown(prepared), { a: 'one', b: 'two' })
  await second.publish({})
  t.deepEqual(await shown(prepared), { a: 'changed' })
  t.is(prepared.published[1]?.manifest?.created, prepared.published[0]?.manifest?.created)
  await put(second, a.ino, 'once more')
  await second.publish({})
  t.deepEqual(await shown(prepared), { a: 'once more' })
  await t.throwsAsync(
    first
      .publish({})
      .then(() => first.tree.setAttributes(first.tree.root, { uid: 9 }))
      .then(() => first.publish({})),
    {
      code: 'snapshot-exists',
    },
  )
})

test('what a vendor has written into a manifest stays there', async (t) => {
  const prepared = await staging(t)
  const first = prepared.begin()
  addFolder(first.tree, 'homedir')
  await first.publish({})
  const key = `${repository}snap.1/jetbackup.index`
  const manifest = JSON.parse(String(prepared.store.objects.get(key)))
  manifest.items[0].type = 'account homedir'
  prepared.store.objects.set(
    key,
    Buffer.from(JSON.stringify({ ...manifest, suspended: true, vendor: { kept: 1 } })),
  )
  await using second = await change(prepared, '2')
  addFolder(second.tree, 'other')
  await second.publish({})
  const again = JSON.parse(String(prepared.store.objects.get(key)))
  t.like(again, { suspended: true, vendor: { kept: 1 } })
  t.deepEqual(
    again.items.map((item: { type: string; path: string }) => [item.type, item.path]),
    [
      ['account homedir', 'homedir'],
      ['other', 'other'],
    ],
  )
})

test('a publish is of one moment', async (t) => {
  const prepared = await staging(t)
  const snapshot = prepared.begin()
  const [a, b] = [addFile(snapshot.tree, 'a'), addFile(snapshot.tree, 'b')]
  for (const ino of [a, b]) await put(snapshot, ino, 'first')
  snapshot.opened(a, true)
  const gates = [0, 1, 2, 3].map(() => Promise.withResolvers<void>())
  let puts = 0
  prepared.store.before = (call, key) =>
    call === 'put' && key.includes('files/') ? gates[puts++]?.promise : undefined
  await snapshot.write(a, 0, Buffer.from('A'), false)
  const publishing = snapshot.publish({})
  await until(() => puts >= 1)
  for (const gate of gates) gate.resolve()
  await publishing
  t.true(snapshot.isPublished)
  const change = snapshot.write(a, 0, Buffer.from('later'), false)
  await change
  t.false(snapshot.isPublished)
  t.deepEqual(await shown(prepared), { a: 'Airst', b: 'first' })
})

test('what comes from another snapshot while the rest is sent is published whole', async (t) => {
  const prepared = await staging(t)
  const snapshot = prepared.begin()
  const other = WorkingSnapshot.begin(prepared.optionsAt('2'), {
    repository,
    number: 2,
    top: { mode: 0o40755, ...owner },
  })
  const [source, file] = [addFile(other.tree, 'source'), addFile(snapshot.tree, 'file')]
  other.opened(source, true)
  await other.write(source, 0, Buffer.from('adopted'), false)
  snapshot.opened(file, true)
  await snapshot.write(file, 0, Buffer.from('1'), false)
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let puts = 0
  prepared.store.before = (call, key) =>
    call === 'put' && key.includes('files/') ? gates[puts++]?.promise : undefined
  const publishing = snapshot.publish({})
  await until(() => puts === 1)
  const writing = snapshot.write(file, 1, Buffer.from('2'), false)
  gates[0]?.resolve()
  await writing
  await until(() => puts === 2)
  const inode = other.tree.setAttributes(source, { mtime: { seconds: 77, nanoseconds: 5 }, mode: 0o640 })
  other.tree.setXattr(source, 'user.a', Buffer.from('1'), 'any')
  const adopted = await snapshot.adopt(snapshot.tree.root, name('adopted'), {
    inode,
    extents: [],
    xattrs: [['user.a', Buffer.from('1')]],
    staged: other.stagedContent(source),
  })
  t.like(adopted, { mtime: { seconds: 77, nanoseconds: 5 }, mode: 0o100640, size: 7, nlink: 1 })
  t.deepEqual(snapshot.tree.xattr(adopted.ino, 'user.a'), Buffer.from('1'))
  gates[1]?.resolve()
  await publishing
  t.deepEqual(await shown(prepared), { adopted: 'adopted', file: '12' })
  await other[Symbol.asyncDispose]()
})

test('an adoption for which there is no room has not been', async (t) => {
  const prepared = await staging(t)
  const snapshot = prepared.begin()
  const file = addFile(snapshot.tree, 'file')
  const { inode } = { inode: { ...(snapshot.tree.inode(file) as OwnInode), size: 5 } }
  const staged = {
    begins: 0,
    blocks: 0,
    seek: () => undefined,
    read: (): Uint8Array => {
      // Nobody finds a part of it, a crash here either.
      t.deepEqual(names(snapshot.tree), ['file'])
      throw new Error('no more of it')
    },
  }
  t.throws(() => snapshot.adopt(snapshot.tree.root, name('x'), { inode, extents: [], xattrs: [], staged }))
  t.deepEqual(names(snapshot.tree), ['file'])
  t.deepEqual([...snapshot.pending()], [])
  t.deepEqual(readdirSync(join(snapshot.folder, 'contents')), [])
})

test('an object is shared by an empty file only', async (t) => {
  const prepared = await staging(t)
  const snapshot = prepared.begin()
  const [a, b] = [addFile(snapshot.tree, 'a'), addFile(snapshot.tree, 'b')]
  await put(snapshot, a, 'text')
  await snapshot.fsync(a, {})
  const { object, size } = snapshot.tree.inode(a) as OwnInode
  if (object === undefined) return t.fail()
  snapshot.tree.setAttributes(b, { mtime: { seconds: 1, nanoseconds: 0 } })
  t.true(snapshot.share(b, { size, object, extents: undefined }))
  t.like(snapshot.tree.inode(b), { size: 4, object })
  t.not(snapshot.tree.inode(b)?.mtime.seconds, 1)
  t.false(snapshot.share(b, { size, object, extents: undefined }))
})

test('a change waits for whoever else has the database for a moment', async (t) => {
  const { begin, recover } = await staging(t)
  const snapshot = begin()
  const held = new Worker(
    `const { DatabaseSync } = require('node:sqlite')
    const { parentPort, workerData } = require('node:worker_threads')
    const database = new DatabaseSync(workerData)
    parentPort.on('message', () => {
      database.exec('BEGIN IMMEDIATE')
      parentPort.postMessage('held')
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
      database.exec('COMMIT')
    })`,
    { eval: true, workerData: join(snapshot.folder, databaseName) },
  )
  try {
    held.postMessage('hold')
    await once(held, 'message')
    addFile(snapshot.tree, 'a')
    held.postMessage('hold')
    await once(held, 'message')
    t.truthy((await recover())?.tree.lookup(snapshot.tree.root, name('a')))
  } finally {
    await held.terminate()
  }
})

/** Publishes `a` with the text `one`, then has `prepared.store` fail at the put of the next manifest. */
async function crashAtManifest(
  t: ExecutionContext,
  when: 'before' | 'after',
): Promise<Staging & { snapshot: WorkingSnapshot }> {
  const prepared = await staging(t)
  const snapshot = prepared.begin()
  const a = addFile(snapshot.tree, 'a')
  await put(snapshot, a, 'one')
  await snapshot.publish({})
  await put(snapshot, a, 'two')
  prepared.store[when] = (call, key) => {
    if (call === 'put' && key.endsWith('jetbackup.index')) throw new StoreError('invalid', 'a crash')
  }
  await t.throwsAsync(snapshot.publish({}), { code: 'invalid' })
  prepared.store[when] = () => {}
  return { ...prepared, snapshot }
}

test('after a crash before the manifest was put, what was published is still that', async (t) => {
  const prepared = await crashAtManifest(t, 'before')
  const again = (await prepared.recover()) as WorkingSnapshot
  t.true(again.publishing.meets(await readSnapshot(prepared.store, repository, 1)))
  t.false(again.isPublished)
  await again.publish({})
  t.deepEqual(await shown(prepared), { a: 'two' })
})

test('after a crash when the manifest was put, that is what the next publish replaces', async (t) => {
  const prepared = await crashAtManifest(t, 'after')
  t.deepEqual(await shown(prepared), { a: 'two' })
  const again = (await prepared.recover()) as WorkingSnapshot
  t.true(again.publishing.meets(await readSnapshot(prepared.store, repository, 1)))
  const a = again.tree.lookup(again.tree.root, name('a')) as OwnInode
  await put(again, a.ino, 'three')
  await again.publish({})
  t.deepEqual(await shown(prepared), { a: 'three' })
})

test('a publish that was done, but seemed to fail, is not in the way of the next', async (t) => {
  const prepared = await crashAtManifest(t, 'after')
  await prepared.snapshot.publish({})
  t.true(prepared.snapshot.isPublished)
  t.deepEqual(await shown(prepared), { a: 'two' })
})

test('what somebody else has published is not met', async (t) => {
  const prepared = await staging(t)
  const snapshot = prepared.begin()
  t.true(snapshot.publishing.meets(undefined))
  await snapshot.publish({})
  const [entry] = prepared.published
  t.true(snapshot.publishing.meets(entry))
  t.false(snapshot.publishing.meets(undefined))
  t.false(snapshot.publishing.meets(entry && { ...entry, manifestEtag: '"other"' }))
})

test('a publish that fails can be tried again, and changes go on meanwhile', async (t) => {
  const prepared = await staging(t)
  const snapshot = prepared.begin()
  const file = addFile(snapshot.tree, 'f')
  await put(snapshot, file, 'one')
  const fault = new StoreError('access-denied', 'not today')
  prepared.store.before = (call) => {
    if (call === 'put') throw fault
  }
  await t.throwsAsync(snapshot.publish({}), { is: fault })
  await put(snapshot, file, 'two')
  prepared.store.before = () => {}
  await snapshot.publish({})
  t.deepEqual(await shown(prepared), { f: 'two' })
})

test('who gives up waiting for a publish does not end it', async (t) => {
  const prepared = await staging(t)
  const snapshot = prepared.begin()
  const gate = Promise.withResolvers<void>()
  prepared.store.before = (call) => (call === 'put' ? gate.promise : undefined)
  const controller = new AbortController()
  const first = snapshot.publish({ signal: controller.signal })
  const reason = new Error('enough')
  await turn()
  controller.abort(reason)
  await t.throwsAsync(first, { is: reason })
  const second = snapshot.publish({})
  gate.resolve()
  await second
  t.is(prepared.published.length, 1)
})

test('a folder without anything finished is nothing, and one with changes is never taken for that', async (t) => {
  const { folder, recover } = await staging(t)
  const at = (text: string): string => join(folder, 'working', text)
  mkdirSync(at('empty'))
  t.is(await recover('empty'), undefined)
  mkdirSync(at('half'))
  writeFileSync(join(at('half'), 'working.sqlite'), 'SQLite format 3\0 but no more of it'.repeat(200))
  await t.throwsAsync(recover('half'), { name: 'SnapshotError', code: 'bad-index' })
  mkdirSync(join(at('half'), 'contents'))
  writeFileSync(join(at('half'), 'contents/2'), 'written')
  await t.throwsAsync(recover('half'), { name: 'SnapshotError', code: 'bad-index' })
})

test('changes of another version of jbfs are left alone', async (t) => {
  const prepared = await staging(t)
  const snapshot = prepared.begin()
  await snapshot[Symbol.asyncDispose]()
  {
    using database = new DatabaseSync(join(snapshot.folder, 'working.sqlite'))
    database.exec('UPDATE working SET version = version + 1')
  }
  await t.throwsAsync(prepared.recover(), { name: 'SnapshotError', code: 'too-new' })
})

test('of what cannot be taken up again nothing goes on', async (t) => {
  const prepared = await staging(t)
  const { store } = prepared
  const snapshot = prepared.begin()
  const [a, b] = [addFile(snapshot.tree, 'a'), addFile(snapshot.tree, 'b')]
  store.before = (call) => {
    if (call === 'put') throw new StoreError('unavailable', 'no store today')
  }
  for (const ino of [a, b]) await put(snapshot, ino, `of ${ino}`)
  await snapshot[Symbol.asyncDispose]()
  store.before = () => {}
  const contentOf = (ino: Ino): string => join(snapshot.folder, 'contents', String(ino))
  rmSync(contentOf(b))
  mkdirSync(contentOf(b))
  await t.throwsAsync(prepared.recover(), { name: 'SnapshotError', code: 'bad-index' })
  t.deepEqual(await openFiles(snapshot.folder), [])
  await turn()
  t.deepEqual([...store.objects.keys()], [])
  t.is(readFileSync(contentOf(a), 'utf8'), `of ${a}`)
})

test('of what cannot be set up no file stays open', async (t) => {
  const prepared = await staging(t)
  const first = prepared.begin()
  addFolder(first.tree, 'homedir')
  await first.publish({})
  const folderOf = (name: string): string => prepared.optionsAt(name).folder
  for (const name of ['begun', 'changed', 'full']) mkdirSync(folderOf(name))
  // What is in the way fails as a full disk would: at the end of all, and at the first table.
  for (const name of ['begun', 'changed']) writeFileSync(join(folderOf(name), 'contents'), '')
  {
    using database = new DatabaseSync(join(folderOf('full'), databaseName))
    database.exec('CREATE TABLE inode (ino)')
  }
  t.throws(() => prepared.begin('begun'), { code: 'EEXIST' })
  await t.throwsAsync(change(prepared, 'changed'), { code: 'EEXIST' })
  t.throws(() => prepared.begin('full'), { code: 'ERR_SQLITE_ERROR' })
  for (const name of ['begun', 'changed', 'full']) t.deepEqual(await openFiles(folderOf(name)), [], name)
})

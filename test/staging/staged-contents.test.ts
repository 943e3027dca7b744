import { existsSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { Ino, Inode, OwnInode, OwnObjectRef, Timestamp } from '../../src/snapshot/tree.ts'
import type { WorkingSnapshot } from '../../src/staging/working-snapshot.ts'
import type { WorkingTree } from '../../src/staging/working-tree.ts'
import { StoreError } from '../../src/store/errors.ts'
import { addFile, name, oneFile, owner, type Prepared, type Staging, turn, until } from './working.ts'

/** As a reader of the mount has it: from the staging folder, or the object. */
function contentOf({ store }: Staging, snapshot: WorkingSnapshot, file: Ino): string {
  const { size, object, sparse } = snapshot.tree.inode(file) as Inode
  const staged = snapshot.stagedContent(file)
  if (staged !== undefined) return Buffer.from(staged.read(0, size + 1)).toString()
  if (object === undefined) return '\0'.repeat(size)
  const bytes = store.objects.get(object.key) as Buffer
  if (!sparse) return bytes.toString()
  const whole = Buffer.alloc(size)
  for (const { offset, length, objectOffset } of snapshot.tree.extents(file, 0))
    bytes.copy(whole, offset, objectOffset, objectOffset + length)
  return whole.toString()
}

const write = async (snapshot: WorkingSnapshot, file: Ino, offset: number, text: string): Promise<void> => {
  const bytes = Buffer.from(text)
  const done = snapshot.write(file, offset, bytes, false)
  // They are the caller's again.
  bytes.fill('!')
  await done
}

const stored = (snapshot: WorkingSnapshot, file: Ino): Promise<void> =>
  until(() => snapshot.stateOf(file) === 'stored' && snapshot.stagedContent(file) === undefined)

/** A snapshot with one file of this text, which is stored and closed. */
async function oneStored(t: ExecutionContext, text: string): Promise<Prepared> {
  const prepared = await oneFile(t)
  const { snapshot, file } = prepared
  await write(snapshot, file, 0, text)
  snapshot.closed(file, true)
  await stored(snapshot, file)
  return prepared
}

function millisOf({ seconds, nanoseconds }: Timestamp): number {
  return seconds * 1000 + nanoseconds / 1e6
}

/** Of the only one in the root. */
function entry(tree: WorkingTree): OwnInode | undefined {
  return [...tree.entries(tree.root, 0)][0]?.inode
}

test('what is written is staged until the last writer closes, then stored', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file, store, folder } = prepared
  await write(snapshot, file, 0, 'hello')
  await write(snapshot, file, 5, ' world')
  await turn()
  t.is(store.objects.size, 0)
  t.is(snapshot.stateOf(file), 'staged')
  t.is(contentOf(prepared, snapshot, file), 'hello world')
  t.is(snapshot.tree.inode(file)?.size, 11)
  t.deepEqual([...snapshot.pending()], [{ ino: file, bytes: 11, failure: undefined }])
  snapshot.closed(file, true)
  await stored(snapshot, file)
  t.is(contentOf(prepared, snapshot, file), 'hello world')
  t.deepEqual([...snapshot.pending()], [])
  t.deepEqual(readdirSync(join(folder, 'working/1/contents')), [])
})

test('a file that is truncated to the size it has is not fetched', async (t) => {
  const prepared = await oneStored(t, 'stored')
  const { snapshot, file, store } = prepared
  snapshot.tree.setAttributes(file, { mode: 0o4755, mtime: { seconds: 1, nanoseconds: 0 } })
  store.before = (call) => void t.not(call, 'get')
  await snapshot.resize(file, 6, true)
  t.like(snapshot.tree.inode(file), { size: 6, mode: 0o100755 })
  t.not(snapshot.tree.inode(file)?.mtime.seconds, 1)
  t.is(snapshot.stateOf(file), 'stored')
  t.is(contentOf(prepared, snapshot, file), 'stored')
})

test('what is stored is fetched to be changed, unless all of it is written over', async (t) => {
  const prepared = await oneStored(t, 'hello world')
  const { snapshot, file, store } = prepared
  let gets = 0
  store.before = (call) => {
    if (call === 'get') gets++
  }
  snapshot.opened(file, true)
  await write(snapshot, file, 6, 'there')
  t.is(contentOf(prepared, snapshot, file), 'hello there')
  t.is(gets, 1)
  snapshot.closed(file, true)
  await stored(snapshot, file)
  snapshot.opened(file, true)
  await write(snapshot, file, 0, 'all written over')
  t.is(gets, 1)
  snapshot.closed(file, true)
  await stored(snapshot, file)
  t.is(contentOf(prepared, snapshot, file), 'all written over')
  await snapshot.resize(file, 3, false)
  await stored(snapshot, file)
  await snapshot.resize(file, 5, false)
  await stored(snapshot, file)
  t.is(contentOf(prepared, snapshot, file), 'all\0\0')
  await snapshot.resize(file, 0, false)
  t.is(contentOf(prepared, snapshot, file), '')
})

test('changes while the content is being fetched wait, and all are done', async (t) => {
  const prepared = await oneStored(t, '0123456789')
  const { snapshot, file, store } = prepared
  const gate = Promise.withResolvers<void>()
  store.before = (call) => (call === 'get' ? gate.promise : undefined)
  snapshot.opened(file, true)
  const changes = [
    write(snapshot, file, 0, 'a'),
    write(snapshot, file, 12, 'b'),
    Promise.resolve(snapshot.allocate(file, { offset: 4, length: 2 }, 'zero')),
  ]
  await turn()
  t.is(contentOf(prepared, snapshot, file), '0123456789')
  gate.resolve()
  await Promise.all(changes)
  t.is(contentOf(prepared, snapshot, file), 'a123\0\x006789\0\0b')
})

test('a write while the file is being sent is not lost', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file, store } = prepared
  await write(snapshot, file, 0, 'first')
  const gate = Promise.withResolvers<void>()
  store.before = (call) => (call === 'put' ? gate.promise : undefined)
  snapshot.closed(file, true)
  await until(() => snapshot.stateOf(file) === 'uploading')
  snapshot.opened(file, true)
  await write(snapshot, file, 0, 'later')
  gate.resolve()
  await until(() => snapshot.stateOf(file) === 'staged')
  t.is(contentOf(prepared, snapshot, file), 'later')
  snapshot.closed(file, true)
  await stored(snapshot, file)
  t.is(contentOf(prepared, snapshot, file), 'later')
})

test('holes stay holes', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file, store } = prepared
  await write(snapshot, file, 1 << 20, 'far')
  snapshot.closed(file, true)
  await stored(snapshot, file)
  const inode = snapshot.tree.inode(file) as Inode
  t.true(inode.sparse)
  t.true((inode.object?.size as number) < 8192)
  snapshot.opened(file, true)
  await write(snapshot, file, 2 << 20, 'further')
  t.is(
    contentOf(prepared, snapshot, file),
    ['\0'.repeat(1 << 20), 'far', '\0'.repeat((1 << 20) - 3), 'further'].join(''),
  )
  t.true((snapshot.stagedContent(file)?.blocks as number) < 100)
  await snapshot.resize(file, 1 << 20, false)
  snapshot.closed(file, true)
  await stored(snapshot, file)
  t.like(snapshot.tree.inode(file), { size: 1 << 20, object: undefined, sparse: true })
  t.is(store.objects.size, 1)
})

test('fsync waits for the store, and says what keeps the file from it', async (t) => {
  const { snapshot, file, store } = await oneFile(t)
  await write(snapshot, file, 0, 'text')
  const fault = new StoreError('unavailable', 'no store today')
  store.before = (call) => {
    if (call === 'put') throw fault
  }
  await t.throwsAsync(snapshot.fsync(file, {}), { is: fault })
  t.is(snapshot.failureOf(file), fault)
  t.deepEqual([...snapshot.pending()], [{ ino: file, bytes: 4, failure: fault }])
  store.before = () => {}
  await snapshot.fsync(file, {})
  t.is(snapshot.failureOf(file), undefined)
  t.is(snapshot.stateOf(file), 'stored')
  await write(snapshot, file, 4, ' more')
  t.is(snapshot.stateOf(file), 'staged')
})

test('an upload that failed is tried again, by one only, however often the file is looked at', async (t) => {
  const { snapshot, file, store, warnings } = await oneFile(t)
  await write(snapshot, file, 0, 'text')
  let puts = 0
  store.before = (call) => {
    if (call !== 'put') return
    puts++
    throw new StoreError('unavailable', 'no store today')
  }
  snapshot.closed(file, true)
  await until(() => warnings.length === 1)
  for (let i = 0; i < 5; i++) {
    snapshot.opened(file, false)
    snapshot.closed(file, false)
  }
  for (let i = 0; i < 3; i++) await turn()
  // The second try comes after a second, which may be over already.
  t.true(puts <= 2, `${puts} tries`)
  store.before = () => {}
  await stored(snapshot, file)
})

test('a file that fails, and is removed, is given up', async (t) => {
  const { snapshot, file, store, warnings, folder } = await oneFile(t)
  await write(snapshot, file, 0, 'text')
  store.before = (call) => {
    if (call === 'put') throw new StoreError('unavailable', 'no store today')
  }
  snapshot.closed(file, true)
  await until(() => warnings.length === 1)
  snapshot.tree.unlink(snapshot.tree.root, name('f'))
  snapshot.unlinked(file)
  t.deepEqual(readdirSync(join(folder, 'working/1/contents')), [])
  t.deepEqual([...snapshot.pending()], [])
  t.deepEqual(snapshot.tree.staged(), [])
})

test('a file that loses its last name lives on for who has it open', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file, folder } = prepared
  await write(snapshot, file, 0, 'text')
  snapshot.tree.unlink(snapshot.tree.root, name('f'))
  snapshot.unlinked(file)
  await write(snapshot, file, 4, ' more')
  snapshot.forgotten(file)
  t.is(contentOf(prepared, snapshot, file), 'text more')
  snapshot.closed(file, true)
  await until(() => snapshot.stagedContent(file) === undefined)
  t.deepEqual(readdirSync(join(folder, 'working/1/contents')), [])
  snapshot.forgotten(file)
  t.is(snapshot.tree.inode(file), undefined)
})

test('a file that loses its last name while it is sent goes when that is done', async (t) => {
  const { snapshot, file, store } = await oneFile(t)
  const gate = Promise.withResolvers<void>()
  store.before = (call) => (call === 'put' ? gate.promise : undefined)
  await write(snapshot, file, 0, 'text')
  snapshot.closed(file, true)
  await until(() => snapshot.stateOf(file) === 'uploading')
  snapshot.tree.unlink(snapshot.tree.root, name('f'))
  snapshot.unlinked(file)
  snapshot.forgotten(file)
  gate.resolve()
  await until(() => snapshot.tree.inode(file) === undefined)
  t.deepEqual(snapshot.tree.staged(), [])
})

test('a truncation that waits for a publish is done, whoever opens and closes the file meanwhile', async (t) => {
  const prepared = await oneStored(t, 'truncated')
  const { snapshot, file, store } = prepared
  const other = addFile(snapshot.tree, 'other')
  snapshot.opened(other, true)
  await write(snapshot, other, 0, 'x')
  // A publish sends twice: what there is, and what has changed meanwhile.
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let puts = 0
  store.before = (call, key) =>
    call === 'put' && key.includes('files/') ? gates[puts++]?.promise : undefined
  const publishing = snapshot.publish({})
  await until(() => puts === 1)
  const changing = write(snapshot, other, 1, 'y')
  gates[0]?.resolve()
  await changing
  await until(() => puts === 2)
  const truncating = Promise.resolve(snapshot.resize(file, 5, false))
  snapshot.opened(file, false)
  snapshot.closed(file, false)
  gates[1]?.resolve()
  await truncating
  snapshot.opened(file, false)
  t.is(contentOf(prepared, snapshot, file), 'trunc')
  await publishing
  snapshot.closed(file, false)
  await stored(snapshot, file)
  t.is(contentOf(prepared, snapshot, file), 'trunc')
})

test('setuid goes with a change of who may not keep it, setgid only of what the group may execute', async (t) => {
  const { snapshot, file } = await oneFile(t)
  const mode = (): string => ((snapshot.tree.inode(file) as Inode).mode & 0o7777).toString(8)
  snapshot.tree.setAttributes(file, { mode: 0o6755 })
  await snapshot.write(file, 0, Buffer.from('x'), false)
  t.is(mode(), '6755')
  await snapshot.write(file, 0, Buffer.from('x'), true)
  t.is(mode(), '755')
  snapshot.tree.setAttributes(file, { mode: 0o6745 })
  await snapshot.resize(file, 0, true)
  t.is(mode(), '2745')
})

test('what is no content of its index is not taken for it', async (t) => {
  const { snapshot, file, store, folder } = await oneStored(t, 'hello world')
  const key = [...store.objects.keys()][0] as string
  const bytes = store.objects.get(key) as Buffer
  store.objects.set(key, Buffer.from('HELLO world'))
  await t.throwsAsync(async () => snapshot.write(file, 0, Buffer.from('x'), false), { code: 'corrupt' })
  store.objects.delete(key)
  await t.throwsAsync(async () => snapshot.write(file, 0, Buffer.from('x'), false), { code: 'missing' })
  t.deepEqual(readdirSync(join(folder, 'working/1/contents')), [])
  store.objects.set(key, bytes)
  await snapshot.write(file, 0, Buffer.from('J'), false)
  t.is(Buffer.from(snapshot.stagedContent(file)?.read(0, 99) as Uint8Array).toString(), 'Jello world')
})

test('after a crash what was written is there, and sent', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file, store } = prepared
  store.before = (call) => {
    if (call === 'put') throw new StoreError('unavailable', 'no store today')
  }
  await write(snapshot, file, 0, 'written')
  const nameless = snapshot.tree.make(snapshot.tree.root, undefined, { mode: 0o100600, ...owner }).ino
  snapshot.opened(nameless, true)
  await write(snapshot, nameless, 0, 'gone with who had it open')
  const again = (await prepared.recover()) as WorkingSnapshot
  t.is(contentOf(prepared, again, file), 'written')
  t.is(again.tree.inode(nameless), undefined)
  store.before = () => {}
  await stored(again, file)
  t.is(contentOf(prepared, again, file), 'written')
})

test('what the system has lost of a staged file is what was stored before', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file, folder } = prepared
  const [unstored, sparse, kept] = ['unstored', 'sparse', 'kept'].map((text) =>
    addFile(snapshot.tree, text),
  ) as [Ino, Ino, Ino]
  for (const ino of [unstored, sparse, kept]) snapshot.opened(ino, true)
  await write(snapshot, file, 0, 'stored')
  await write(snapshot, sparse, 1 << 20, 'behind a hole')
  for (const ino of [file, sparse]) snapshot.closed(ino, true)
  for (const ino of [file, sparse]) await stored(snapshot, ino)
  const before = [file, sparse].map((ino) => contentOf(prepared, snapshot, ino))
  for (const ino of [file, sparse, unstored, kept]) {
    snapshot.opened(ino, true)
    await snapshot.resize(ino, 0, false)
    await write(snapshot, ino, 0, 'never synced')
  }
  const pathOf = (ino: Ino): string => join(folder, 'working/1/contents', String(ino))
  t.is(readFileSync(pathOf(file), 'utf8'), 'never synced')
  truncateSync(pathOf(file), 5)
  for (const ino of [sparse, unstored]) rmSync(pathOf(ino))
  const again = (await prepared.recover()) as WorkingSnapshot
  t.deepEqual(
    [file, sparse].map((ino) => contentOf(prepared, again, ino)),
    before,
  )
  t.is(contentOf(prepared, again, unstored), '')
  t.is(contentOf(prepared, again, kept), 'never synced')
  for (const ino of [file, sparse, unstored]) t.false(existsSync(pathOf(ino)))
  await again.publish({ signal: AbortSignal.timeout(10_000) })
})

test('what stops waits for nothing, and whoever waits hears of it', async (t) => {
  const { snapshot, file, store } = await oneStored(t, 'text')
  const gate = Promise.withResolvers<void>()
  store.before = (call) => (call === 'get' ? gate.promise : undefined)
  const writing = t.throwsAsync(async () => snapshot.write(file, 0, Buffer.from('x'), false))
  await turn()
  const stopping = snapshot[Symbol.asyncDispose]()
  await writing
  gate.resolve()
  await stopping
})

test('a change that cannot be kept leaves what is stored', async (t) => {
  const prepared = await oneStored(t, 'stored')
  const { snapshot, file } = prepared
  // As a disk that fails in the middle.
  snapshot.tree.database.exec('ALTER TABLE staged RENAME TO lost')
  snapshot.opened(file, true)
  const failing = async (): Promise<void> => snapshot.write(file, 0, Buffer.from('all written over'), false)
  await t.throwsAsync(failing, { code: 'staging-failed' })
  t.is(contentOf(prepared, snapshot, file), 'stored')
  t.is(snapshot.stateOf(file), 'stored')
})

test('a change of a staged file that the tree cannot take leaves its size, and what would be cut off', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file } = prepared
  await write(snapshot, file, 0, 'staged')
  snapshot.tree.database.exec('ALTER TABLE working RENAME TO lost')
  await t.throwsAsync(async () => snapshot.resize(file, 2, false), { code: 'staging-failed' })
  snapshot.tree.database.exec('ALTER TABLE lost RENAME TO working')
  t.is(contentOf(prepared, snapshot, file), 'staged')
  const again = (await prepared.recover()) as WorkingSnapshot
  t.is(contentOf(prepared, again, file), 'staged')
})

test('what a file that is written says of itself is there after a crash, without a transaction for each write', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file } = prepared
  await write(snapshot, file, 0, 'text')
  const { database, changes } = snapshot.tree
  const before = database.prepare('SELECT * FROM inode WHERE ino = ?').get(file)
  await setTimeout(20)
  await write(snapshot, file, 4, ' and more')
  await setTimeout(20)
  await write(snapshot, file, 0, 'TEXT')
  t.deepEqual(database.prepare('SELECT * FROM inode WHERE ino = ?').get(file), before)
  t.is(snapshot.tree.changes, changes + 2)
  const { size, mtime, ctime } = snapshot.tree.inode(file) as OwnInode
  t.is(size, 13)
  const shown = [snapshot.tree.lookup(snapshot.tree.root, name('f')), entry(snapshot.tree)]
  for (const inode of shown) t.like(inode, { size, mtime, ctime })

  const again = ((await prepared.recover()) as WorkingSnapshot).tree.inode(file) as OwnInode
  t.is(again.size, 13)
  // The clock of the staging folder's file system may be coarser.
  const late = millisOf(mtime) - millisOf(again.mtime)
  t.true(late >= -1 && late < 15, `${late} ms`)
  t.deepEqual(again.ctime, again.mtime)
})

test('times that were set behind a write are there after a crash', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file } = prepared
  await write(snapshot, file, 0, 'text')
  await write(snapshot, file, 4, ' and more')
  const mtime = { seconds: 5, nanoseconds: 7 }
  snapshot.tree.setAttributes(file, { mtime })
  const again = (await prepared.recover()) as WorkingSnapshot
  t.like(again.tree.inode(file), { size: 13, mtime })
})

test('what changes the times of a stored file is there after a crash, and published', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file } = prepared
  const aged = { mtime: { seconds: 1, nanoseconds: 0 } }
  await write(snapshot, file, 0, 'stored')
  snapshot.closed(file, true)
  await stored(snapshot, file)
  const { object, size } = snapshot.tree.inode(file) as OwnInode
  const sharing = addFile(snapshot.tree, 'g')
  for (const ino of [file, sharing]) snapshot.tree.setAttributes(ino, aged)
  await snapshot.publish({})
  await snapshot.resize(file, size, false)
  const truncated = (await prepared.recover()) as WorkingSnapshot
  t.deepEqual(truncated.tree.inode(file)?.mtime, snapshot.tree.inode(file)?.mtime)
  t.false(truncated.isPublished)
  t.true(truncated.share(sharing, { size, object: object as OwnObjectRef, extents: undefined }))
  const again = (await prepared.recover()) as WorkingSnapshot
  t.deepEqual(again.tree.inode(sharing)?.mtime, truncated.tree.inode(sharing)?.mtime)
})

test('a file that is removed while its upload waits for its turn is forgotten', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file, store } = prepared
  const gate = Promise.withResolvers<void>()
  store.before = (call) => (call === 'put' ? gate.promise : undefined)
  await write(snapshot, file, 0, '0')
  snapshot.closed(file, true)
  // More than can be sent at a time.
  for (let i = 1; i < 10; i++) {
    const other = addFile(snapshot.tree, `${i}`)
    snapshot.opened(other, true)
    await write(snapshot, other, 0, `${i}`)
    snapshot.closed(other, true)
  }
  await turn()
  snapshot.unlinked(snapshot.tree.unlink(snapshot.tree.root, name('9')).ino)
  gate.resolve()
  await until(() => [...snapshot.pending()].length === 0)
  t.is([...store.objects.keys()].length, 9)
})

test('a write that waits for an fsync does not fail with it', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file, store } = prepared
  await write(snapshot, file, 0, 'text')
  const gate = Promise.withResolvers<void>()
  store.before = (call) => (call === 'put' ? gate.promise : undefined)
  const failing = t.throwsAsync(snapshot.fsync(file, {}), { code: 'unavailable' })
  await until(() => snapshot.stateOf(file) === 'uploading')
  const writing = write(snapshot, file, 4, ' more')
  gate.reject(new StoreError('unavailable', 'no store today'))
  await failing
  await writing
  t.is(contentOf(prepared, snapshot, file), 'text more')
})

test('a copy of what the store has makes room, though somebody has it open', async (t) => {
  const { snapshot, file, room } = await oneFile(t, 1 << 20)
  await snapshot.write(file, 0, Buffer.alloc(600_000, 'a'), false)
  await snapshot.fsync(file, {})
  t.true(room.used > 0)
  const other = addFile(snapshot.tree, 'other')
  snapshot.opened(other, true)
  await snapshot.write(other, 0, Buffer.alloc(600_000, 'b'), false)
  t.is(snapshot.stagedContent(file), undefined)
  t.is(snapshot.tree.inode(file)?.size, 600_000)
})

test('what is being fetched has its room already', async (t) => {
  const { snapshot, file, store, room } = await oneFile(t, 1 << 20)
  const other = addFile(snapshot.tree, 'other')
  snapshot.opened(other, true)
  for (const ino of [file, other]) {
    await snapshot.write(ino, 0, Buffer.alloc(600_000, `${ino}`), false)
    snapshot.closed(ino, true)
    await stored(snapshot, ino)
  }
  let most = 0
  store.after = () => {
    most = Math.max(most, room.used)
  }
  const append = async (ino: Ino): Promise<void> => {
    snapshot.opened(ino, true)
    await snapshot.write(ino, 600_000, Buffer.from('more'), false)
    most = Math.max(most, room.used)
  }
  const [first, second] = await Promise.allSettled([append(file), append(other)])
  t.is(first.status, 'fulfilled')
  // The first is open, and nothing else would make room.
  t.is(second.status === 'rejected' && second.reason.code, 'staging-full')
  t.true(most <= room.limit, `${most}`)
  snapshot.closed(file, true)
  await append(other)
  t.true(most <= room.limit, `${most}`)
})

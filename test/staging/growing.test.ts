import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { ChangeError } from '../../src/snapshot/errors.ts'
import type { Ino, Inode } from '../../src/snapshot/tree.ts'
import { StagedFile } from '../../src/staging/staged-file.ts'
import { StagingRoom } from '../../src/staging/staging-room.ts'
import type { WorkingSnapshot } from '../../src/staging/working-snapshot.ts'
import { StoreError } from '../../src/store/errors.ts'
import { watchSyncs } from './watch-syncs.ts'
import { addFile, oneFile, type Prepared, turn, until } from './working.ts'

/** Files that are sent while they are being written: `src/staging/growing-upload.ts`. */

const piece = 1 << 20
/** Nobody needs other bytes in each of them, but in the order of them. */
const noise = randomBytes(4 * piece)

function contentOf(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size; at += noise.length) noise.copy(bytes, at)
  for (let at = 0; at + 8 <= size; at += piece) bytes.writeDoubleBE(at, at)
  return bytes
}

async function write(snapshot: WorkingSnapshot, file: Ino, bytes: Buffer, from = 0): Promise<void> {
  for (let at = 0; at < bytes.length; at += piece) {
    await snapshot.write(file, from + at, bytes.subarray(at, at + piece), false)
    // As between two requests of the kernel.
    await turn()
  }
}

/** A snapshot with one file of so many pieces, open for writing. */
async function grown(
  t: ExecutionContext,
  pieces: number,
  stagingBytes?: number,
): Promise<Prepared & { readonly bytes: Buffer }> {
  const prepared = await oneFile(t, stagingBytes)
  const bytes = contentOf(pieces * piece)
  await write(prepared.snapshot, prepared.file, bytes)
  return { ...prepared, bytes }
}

/** Closes the file, and waits until it is an object; its bytes are `expected`, and nothing else is left. */
async function isStored(t: ExecutionContext, prepared: Prepared, expected: Buffer): Promise<void> {
  const { snapshot, file, store } = prepared
  snapshot.closed(file, true)
  await until(() => snapshot.stateOf(file) === 'stored')
  const { object, size } = snapshot.tree.inode(file) as Inode
  t.is(size, expected.length)
  t.true(store.objects.get(object?.key as string)?.equals(expected), 'the object has the bytes')
  t.deepEqual(object?.sha256, createHash('sha256').update(expected).digest())
  await until(() => store.uploads.size === 0)
  t.is(store.objects.size, 1)
  t.is(prepared.room.used, 0)
}

/** What readers see of it, by its object and where that has holes. */
function shownOf({ snapshot, file, store }: Prepared): Buffer {
  const { object, size, sparse } = snapshot.tree.inode(file) as Inode
  const stored = store.objects.get(object?.key as string) as Buffer
  const shown = Buffer.alloc(size)
  let at = 0
  for (const { offset, length } of sparse ? snapshot.tree.extents(file, 0) : [{ offset: 0, length: size }]) {
    stored.copy(shown, offset, at, at + length)
    at += length
  }
  return shown
}

test('a file that is larger than the staging area goes through it', async (t) => {
  const limit = 64 * piece
  const prepared = await oneFile(t, limit)
  const { snapshot, file, room, store } = prepared
  const bytes = contentOf(200 * piece + 12_345)
  let most = 0
  for (let at = 0; at < bytes.length; at += piece) {
    await snapshot.write(file, at, bytes.subarray(at, at + piece), false)
    most = Math.max(most, room.used)
  }
  t.true(most <= limit, `${most}`)
  t.is(store.objects.size, 0)
  t.is(snapshot.tree.inode(file)?.size, bytes.length)
  await isStored(t, prepared, bytes)
})

test('several that together are larger than the staging area go through it, too', async (t) => {
  const limit = 64 * piece
  const { snapshot, file, room, store } = await oneFile(t, limit)
  const files = [file, ...['g', 'h'].map((name) => addFile(snapshot.tree, name))]
  for (const other of files.slice(1)) snapshot.opened(other, true)
  const bytes = contentOf(50 * piece)
  await Promise.all(files.map((each) => write(snapshot, each, bytes)))
  for (const each of files) snapshot.closed(each, true)
  await until(() => files.every((each) => snapshot.stateOf(each) === 'stored'))
  for (const each of files) {
    const { object } = snapshot.tree.inode(each) as Inode
    t.true(store.objects.get(object?.key as string)?.equals(bytes))
  }
  t.is(room.used, 0)
})

test('while it is written its parts go up already, and what is written over is sent anew', async (t) => {
  const prepared = await grown(t, 100)
  const { snapshot, file, store, bytes } = prepared
  const sent = (): number => [...store.uploads.values()].reduce((sum, parts) => sum + parts.size, 0)
  await until(() => sent() === 6)
  t.is(snapshot.stagedContent(file)?.begins, 0)
  bytes.write('other', 7)
  await snapshot.write(file, 7, Buffer.from('other'), false)
  await until(() => store.uploads.size === 0)
  await isStored(t, prepared, bytes)
})

test.serial(
  'what is written in its order is not read back, but for what came before it was known to be long',
  async (t) => {
    const { fill } = StagedFile.prototype
    let read = 0
    StagedFile.prototype.fill = function (this: StagedFile, bytes, offset) {
      read += bytes.length
      return fill.call(this, bytes, offset)
    }
    try {
      const prepared = await oneFile(t)
      const bytes = contentOf(200 * piece + 12_345)
      const sent = (): number =>
        [...prepared.store.uploads.values()].reduce((sum, parts) => sum + parts.size, 0)
      for (let at = 0; at < bytes.length; at += 32 * piece) {
        await write(prepared.snapshot, prepared.file, bytes.subarray(at, at + 32 * piece), at)
        // A store that is fast enough.
        const end = Math.min(at + 32 * piece, bytes.length)
        await until(() => end < 64 * piece || sent() === Math.floor(end / (16 * piece)))
      }
      await isStored(t, prepared, bytes)
      t.is(read, 64 * piece)
    } finally {
      StagedFile.prototype.fill = fill
    }
  },
)

for (const how of ['written over', 'cut off and written again', 'punched'] as const)
  test(`what is ${how} while it is gathered is sent as it is then`, async (t) => {
    const prepared = await grown(t, 86)
    const { snapshot, file } = prepared
    const bytes = contentOf(120 * piece)
    const [from, to] = [82 * piece, 83 * piece]
    bytes.fill(how === 'punched' ? 0 : 7, from, to)
    if (how === 'punched') await snapshot.allocate(file, { offset: from, length: piece }, 'punch')
    else {
      if (how !== 'written over') await snapshot.resize(file, from, false)
      await write(snapshot, file, bytes.subarray(from, to), from)
    }
    await write(snapshot, file, bytes.subarray(86 * piece), 86 * piece)
    if (how === 'cut off and written again') bytes.fill(0, to, 86 * piece)
    snapshot.closed(file, true)
    await until(() => snapshot.stateOf(file) === 'stored')
    t.true(shownOf(prepared).equals(bytes))
  })

test('whatever is done to a long file while it is sent, the object has its bytes', async (t) => {
  const upTo = (pieces: number): fc.Arbitrary<number> => fc.integer({ min: 1, max: pieces * piece })
  const step = fc.oneof(
    { weight: 20, arbitrary: fc.record({ kind: fc.constant('append' as const), length: upTo(12) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('skip' as const), length: upTo(4) }) },
    // Of what is written over: how far before the end it begins.
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('over' as const), length: upTo(6) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), length: upTo(6) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('punch' as const), length: upTo(6) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), length: upTo(1) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const), length: upTo(1) }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 30 }), async (steps) => {
      const prepared = await oneFile(t)
      const { snapshot, file, store } = prepared
      const bytes = Buffer.alloc(512 * piece)
      let end = 0
      let failing = 0
      store.before = async (call) => {
        if (call === 'part' && failing > 0 && failing-- > 0) throw new StoreError('unavailable', 'refused')
      }
      const change = async (offset: number, length: number): Promise<void> => {
        const at = offset % (noise.length - 1)
        for (let done = 0; done < length; done += noise.length - at)
          noise.copy(bytes, offset + done, at, at + Math.min(noise.length - at, length - done))
        bytes.writeDoubleBE(Math.random(), offset)
        await write(snapshot, file, bytes.subarray(offset, offset + length), offset)
        end = Math.max(end, offset + length)
      }
      await change(0, 60 * piece)
      for (const { kind, length } of steps) {
        const from = Math.max(0, end - length)
        if (kind === 'append') await change(end, Math.max(8, length))
        else if (kind === 'skip') await change(end + length, 100_000)
        else if (kind === 'over') await change(from, Math.max(8, length >> 2))
        else if (kind === 'cut') {
          await snapshot.resize(file, from, false)
          bytes.fill(0, from, end)
          end = from
        } else if (kind === 'punch') {
          await snapshot.allocate(file, { offset: from, length: length >> 1 }, 'punch')
          bytes.fill(0, from, from + (length >> 1))
        } else if (kind === 'fail') failing = 2
        else {
          snapshot.closed(file, true)
          await turn()
          snapshot.opened(file, true)
        }
      }
      failing = 0
      snapshot.closed(file, true)
      await until(() => snapshot.stateOf(file) === 'stored')
      t.true(shownOf(prepared).equals(bytes.subarray(0, end)), 'the object has the bytes')
    }),
    { numRuns: 3, endOnFailure: true },
  )
})

test('what is not here any more is fetched to be changed', async (t) => {
  const prepared = await grown(t, 120, 160 * piece)
  const { snapshot, file, bytes } = prepared
  await until(() => (snapshot.stagedContent(file)?.begins ?? 0) > 0)
  bytes.write('other', 7)
  await snapshot.write(file, 7, Buffer.from('other'), false)
  t.is(snapshot.stagedContent(file)?.begins, 0)
  t.deepEqual(Buffer.from(snapshot.stagedContent(file)?.read(0, 20) ?? []), bytes.subarray(0, 20))
  // The object that it was for a moment is nobody's any more: gc collects it.
  prepared.store.objects.clear()
  await isStored(t, prepared, bytes)
})

test('where it finds no room to be fetched, the change fails, and the file is what it was', async (t) => {
  const prepared = await grown(t, 100, 64 * piece)
  const { snapshot, file, bytes } = prepared
  await t.throwsAsync(async () => snapshot.write(file, 7, Buffer.from('other'), false), {
    code: 'staging-full',
  })
  await isStored(t, prepared, bytes)
})

test('who reads what is not here any more waits until it is an object', async (t) => {
  const prepared = await grown(t, 100, 64 * piece)
  const { snapshot, file, bytes } = prepared
  t.true((snapshot.stagedContent(file)?.begins ?? 0) > 0)
  await snapshot.store(file, {})
  t.is(snapshot.stagedContent(file), undefined)
  await isStored(t, prepared, bytes)
})

for (const [title, stagingBytes] of [
  ['a process that dies is gone on with, where what it sent is nowhere else', 64 * piece],
  ['a process that dies leaves nothing in the store, where all is still here', 1 << 30],
] as const)
  test(title, async (t) => {
    const prepared = await oneFile(t, stagingBytes)
    const { store } = prepared
    const bytes = contentOf(100 * piece)
    // Some are on their way when it dies.
    store.before = (call) => (call === 'part' ? delay(20) : undefined)
    await write(prepared.snapshot, prepared.file, bytes)
    await until(() => store.uploads.size === 1)
    const snapshot = await prepared.recover()
    t.not(snapshot, undefined)
    const again = { ...prepared, snapshot: snapshot as WorkingSnapshot }
    again.snapshot.opened(prepared.file, true)
    await until(() => again.snapshot.stateOf(prepared.file) === 'stored')
    const { object } = again.snapshot.tree.inode(prepared.file) as Inode
    t.true(store.objects.get(object?.key as string)?.equals(bytes))
    t.deepEqual(object?.sha256, createHash('sha256').update(bytes).digest())
    await until(() => store.uploads.size === 0)
    t.is(store.objects.size, 1)
  })

test('a part that fails is told of, and sent again', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file, store } = prepared
  let isDown = true
  store.before = (call) => {
    if (call === 'part' && isDown) throw new StoreError('unavailable', 'the server has trouble')
  }
  const bytes = contentOf(90 * piece)
  await write(snapshot, file, bytes)
  await until(() => snapshot.failureOf(file) !== undefined)
  t.regex(snapshot.failureOf(file)?.message ?? '', /trouble/)
  isDown = false
  await until(() => snapshot.failureOf(file) === undefined)
  await isStored(t, prepared, bytes)
})

test('all parts of an upload are of one size, which a small staging area has smaller', async (t) => {
  for (const [room, size] of [
    [1 << 30, 32 * piece],
    [256 * piece, 16 * piece],
  ] as const) {
    const { snapshot, file, store } = await oneFile(t, room)
    await write(snapshot, file, contentOf(100 * piece))
    const count = Math.floor((100 * piece) / size)
    await until(() => [...store.uploads.values()][0]?.size === count)
    const parts = [...([...store.uploads.values()][0]?.values() ?? [])]
    t.true(parts.every(({ length }) => length === size))
  }
})

test('parts that somebody has taken away are sent again, from what is here', async (t) => {
  const prepared = await grown(t, 90)
  const { store, bytes } = prepared
  await until(() => [...store.uploads.values()][0]?.size === 5)
  store.uploads.clear()
  await isStored(t, prepared, bytes)
})

test('what the repository has already is not kept twice', async (t) => {
  const prepared = await grown(t, 80)
  const { snapshot, file, store, bytes } = prepared
  await isStored(t, prepared, bytes)
  const other = addFile(snapshot.tree, 'other')
  snapshot.opened(other, true)
  await write(snapshot, other, bytes)
  await isStored(t, { ...prepared, file: other }, bytes)
  t.is(snapshot.tree.inode(other)?.object?.key, snapshot.tree.inode(file)?.object?.key)
  t.is(store.objects.size, 1)
})

test('holes are not sent', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file, store } = prepared
  const bytes = contentOf(90 * piece)
  await write(snapshot, file, bytes.subarray(0, 40 * piece))
  await write(snapshot, file, bytes.subarray(40 * piece), 400 * piece)
  snapshot.closed(file, true)
  await until(() => snapshot.stateOf(file) === 'stored')
  const { object, size, sparse } = snapshot.tree.inode(file) as Inode
  t.is(size, 450 * piece)
  t.true(sparse)
  t.true(store.objects.get(object?.key as string)?.equals(bytes))
  t.deepEqual(
    [...snapshot.tree.extents(file, 0)],
    [
      { offset: 0, length: 40 * piece, objectOffset: 0 },
      { offset: 400 * piece, length: 50 * piece, objectOffset: 40 * piece },
    ],
  )
})

test('a file that loses its last name takes its parts along', async (t) => {
  const prepared = await oneFile(t)
  const { snapshot, file, store, room } = prepared
  await write(snapshot, file, contentOf(80 * piece))
  await until(() => store.uploads.size === 1)
  snapshot.tree.unlink(snapshot.tree.root, 'f' as never)
  snapshot.unlinked(file)
  snapshot.closed(file, true)
  await until(() => store.uploads.size === 0)
  t.is(store.objects.size, 0)
  t.is(room.used, 0)
})

test('who finds no room waits for what is being stored, and fails where nothing is', async (t) => {
  const prepared = await oneFile(t, 64 * piece)
  const { snapshot, file, store } = prepared
  const gate = Promise.withResolvers<void>()
  store.before = (call) => (call === 'put' ? gate.promise : undefined)
  await write(snapshot, file, contentOf(30 * piece))
  // Somebody goes on reading it.
  snapshot.opened(file, false)
  snapshot.closed(file, true)
  const other = addFile(snapshot.tree, 'other')
  snapshot.opened(other, true)
  // Backwards: it cannot be sent before it is closed.
  for (let at = 33; at >= 0; at--) await snapshot.write(other, at * piece, noise.subarray(0, piece), false)
  let isWritten = false
  const waiting = Promise.resolve(snapshot.write(other, 34 * piece, noise.subarray(0, piece), false)).then(
    () => {
      isWritten = true
    },
  )
  for (let i = 0; i < 20; i++) await turn()
  t.false(isWritten)
  const interrupt = new AbortController()
  const interrupted = Promise.resolve(
    snapshot.write(other, 35 * piece, noise.subarray(0, piece), false, { signal: interrupt.signal }),
  )
  interrupt.abort(new Error('enough'))
  await t.throwsAsync(interrupted, { message: 'enough' })
  gate.resolve()
  await waiting
  await until(() => snapshot.stateOf(file) === 'stored')
  await t.throwsAsync(
    async () => {
      for (let at = 35; at < 80; at++)
        await snapshot.write(other, at * piece, noise.subarray(0, piece), false)
    },
    { code: 'staging-full' },
  )
})

test('a process that dies when the object has appeared, and before it knew, is gone on with', async (t) => {
  const prepared = await grown(t, 100, 64 * piece)
  const { snapshot, file, store, bytes } = prepared
  // The one before never hears of it, until all is over.
  const dead = Promise.withResolvers<void>()
  t.teardown(dead.resolve)
  store.after = (call) => (call === 'complete' ? dead.promise : undefined)
  snapshot.closed(file, true)
  await until(() => store.objects.size === 1)
  store.after = () => {}
  // Its room is its own, as the other one is as good as dead.
  const room = new StagingRoom(1 << 30)
  const again = { ...prepared, snapshot: (await prepared.recover()) as WorkingSnapshot, room }
  again.snapshot.opened(file, true)
  await isStored(t, again, bytes)
})

test('what is written behind an object of which nobody knows whether it has appeared is not lost', async (t) => {
  const prepared = await oneFile(t, 160 * piece)
  const { snapshot, file, store } = prepared
  const bytes = contentOf(121 * piece)
  await write(snapshot, file, bytes.subarray(0, 120 * piece))
  await until(() => (snapshot.stagedContent(file)?.begins ?? 0) > 0)
  store.after = (call) => {
    if (call === 'complete') throw new StoreError('unavailable', 'no answer')
  }
  snapshot.closed(file, true)
  await until(() => snapshot.failureOf(file) !== undefined)
  store.after = () => {}
  snapshot.opened(file, true)
  await write(snapshot, file, bytes.subarray(120 * piece), 120 * piece)
  // The object without the last piece is nobody's any more.
  store.objects.clear()
  await isStored(t, prepared, bytes)
})

test('a file that is written again while its upload waits for its turn goes on growing', async (t) => {
  const prepared = await oneFile(t, 64 * piece)
  const { snapshot, file, store } = prepared
  const gate = Promise.withResolvers<void>()
  store.before = (call) => (call === 'put' ? gate.promise : undefined)
  const bytes = contentOf(120 * piece)
  // As many as are sent at a time.
  for (let i = 0; i < 4; i++) {
    const other = addFile(snapshot.tree, `other ${i}`)
    snapshot.opened(other, true)
    await snapshot.write(other, 0, Buffer.from(`${i}`), false)
    snapshot.closed(other, true)
  }
  await turn()
  await write(snapshot, file, bytes.subarray(0, 30 * piece))
  snapshot.closed(file, true)
  snapshot.opened(file, true)
  await write(snapshot, file, bytes.subarray(30 * piece, 80 * piece), 30 * piece)
  gate.resolve()
  await write(snapshot, file, bytes.subarray(80 * piece), 80 * piece)
  await until(() => store.objects.size === 4)
  store.objects.clear()
  await isStored(t, prepared, bytes)
})

test('who waits for parts that somebody has taken away does not wait for ever', async (t) => {
  const { snapshot, file, store } = await oneFile(t, 64 * piece)
  const gate = Promise.withResolvers<void>()
  store.before = (call) => (call === 'part' ? gate.promise : undefined)
  await write(snapshot, file, contentOf(64 * piece))
  const failing = t.throwsAsync(async () => snapshot.write(file, 64 * piece, noise.subarray(0, 1), false), {
    code: 'staging-full',
  })
  await until(() => store.uploads.size === 1)
  store.uploads.clear()
  gate.resolve()
  let isOver = false
  void failing.finally(() => {
    isOver = true
  })
  await until(() => isOver)
})

test('parts that cannot be taken back do not keep a file from what the repository has', async (t) => {
  const prepared = await grown(t, 80, 64 * piece)
  const { snapshot, file, store, bytes } = prepared
  await isStored(t, prepared, bytes)
  const other = addFile(snapshot.tree, 'other')
  snapshot.opened(other, true)
  await write(snapshot, other, bytes)
  store.before = (call) => {
    if (call === 'abandon') throw new StoreError('unavailable', 'the server has trouble')
  }
  snapshot.closed(other, true)
  await until(() => snapshot.stateOf(other) === 'stored')
  t.is(snapshot.failureOf(other), undefined)
  t.is(snapshot.tree.inode(other)?.object?.key, snapshot.tree.inode(file)?.object?.key)
})

test('an upload that cannot be remembered is given up', async (t) => {
  const { snapshot, file, store } = await oneFile(t)
  snapshot.tree.database.exec('DROP TABLE growing')
  await write(snapshot, file, contentOf(70 * piece))
  await until(() => snapshot.failureOf(file) !== undefined)
  t.is(store.uploads.size, 0)
})

test.serial('what was freed is on the disk as stored before the rest of it goes', async (t) => {
  const prepared = await grown(t, 100, 64 * piece)
  const { snapshot, file, folder, bytes } = prepared
  const seen: boolean[] = []
  using _watching = watchSyncs((path) => {
    if (path.endsWith('-wal') && snapshot.tree.staged().length === 0)
      seen.push(existsSync(join(folder, 'working/1/contents', String(file))))
  })
  await isStored(t, prepared, bytes)
  t.deepEqual(seen.slice(0, 1), [true])
})

test('what is stopped touches its file no more, whatever is under way', async (t) => {
  const prepared = await oneFile(t, 64 * piece)
  const { snapshot, file, store } = prepared
  const gate = Promise.withResolvers<void>()
  store.after = (call) => (call === 'part' ? gate.promise : undefined)
  await write(snapshot, file, contentOf(50 * piece))
  await until(() => [...store.uploads.values()][0]?.size === 3)
  const staged = snapshot.stagedContent(file) as StagedFile
  staged.free = () => t.fail('its descriptor may be of another file now')
  // The database is open as long as something is being published.
  store.before = (call) => (call === 'list' || call === 'get' ? new Promise(() => {}) : undefined)
  const stopping = snapshot[Symbol.asyncDispose]()
  gate.resolve()
  await stopping
  for (let i = 0; i < 10; i++) await turn()
  t.pass()
})

test('nobody waits for what cannot be stored because the disk is full', async (t) => {
  const prepared = await oneFile(t, 64 * piece)
  const { snapshot, file, store } = prepared
  store.before = (call) => {
    if (call === 'put') throw new ChangeError('staging-full', 'the disk of the state folder is full')
  }
  await write(snapshot, file, contentOf(30 * piece))
  snapshot.closed(file, true)
  const other = addFile(snapshot.tree, 'other')
  snapshot.opened(other, true)
  for (let at = 33; at >= 0; at--) await snapshot.write(other, at * piece, noise.subarray(0, piece), false)
  await t.throwsAsync(async () => snapshot.write(other, 34 * piece, noise.subarray(0, piece), false), {
    code: 'staging-full',
  })
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Errno, FuseError } from '../../src/fuse/errno.ts'
import {
  AttrOut,
  BatchForgetIn,
  Dirent,
  EntryOut,
  ForgetIn,
  ForgetOne,
  GetxattrIn,
  GetxattrOut,
  InHeader,
  InitFlag,
  InitOut,
  InterruptIn,
  LseekIn,
  Opcode,
  ReadIn,
} from '../../src/fuse/protocol.ts'
import { cString, decode, encode } from '../support/kernel-double.ts'
import { attr, entry, served } from '../support/served.ts'

const read = (offset: number, size: number): Buffer =>
  encode(ReadIn, { fh: 0, offset, size, readFlags: 0, lockOwner: 0n, flags: 0, padding: 0 })

test('INIT is answered with what is wanted of what is offered', async (t) => {
  const { kernel, session } = served({})
  const reply = decode(InitOut, (await kernel.init()).body)
  t.is(reply.major, 7)
  t.is(reply.minor, 45)
  t.is(reply.maxWrite, 1 << 20)
  t.is(reply.maxPages, 256)
  t.truthy(reply.flags & InitFlag.DO_READDIRPLUS)
  t.falsy(reply.flags & (1 << 14), 'READDIRPLUS_AUTO makes ls -l slow')
  await session.initialized
  t.true(session.handleless)
})

test('every flag that INIT asks for has its reason in the notes', (t) => {
  const notes = readFileSync(join(import.meta.dirname, '../../native-notes/fuse.md'), 'utf8')
  const table = notes
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .join('\n')
  for (const name of Object.keys(InitFlag)) t.regex(table, new RegExp(`\\b${name}\\b`))
})

test('an old kernel that cannot do without OPEN has it answered', async (t) => {
  const { kernel } = served({})
  await kernel.init(InitFlag.DO_READDIRPLUS)
  t.is((await kernel.request('OPEN', 2, Buffer.alloc(8))).error, 0)
  t.is((await kernel.request('OPENDIR', 2, Buffer.alloc(8))).error, 0)
})

test('a new kernel is told to do without OPEN', async (t) => {
  const { kernel } = served({})
  await kernel.init()
  t.is((await kernel.request('OPEN', 2, Buffer.alloc(8))).error, -Errno.ENOSYS)
})

test('LOOKUP hands names over as bytes and replies with an entry', async (t) => {
  const names: string[] = []
  const { kernel } = served({
    lookup: (_, name) => {
      names.push(name)
      return entry(0x2_0000_0005)
    },
  })
  const name = '\xff\xfe caf\xe9\n'
  const { error, body } = await kernel.request('LOOKUP', 1, cString(name))
  t.is(error, 0)
  t.deepEqual(names, [name])
  const reply = decode(EntryOut, body)
  t.is(reply.nodeid, 0x2_0000_0005)
  t.is(reply.entryValid, 2 ** 31)
  t.is(reply.attrValidNsec, 500_000_000)
  t.is(reply.attr.mtime, -5)
})

test('an absent name is an entry with nodeid 0, to be remembered', async (t) => {
  const { kernel } = served({})
  const { error, body } = await kernel.request('LOOKUP', 1, cString('absent'))
  t.is(error, 0)
  t.like(decode(EntryOut, body), { nodeid: 0, entryValid: 7 })
})

test('a name of more than 255 bytes is too long', async (t) => {
  const { kernel } = served({})
  t.is((await kernel.request('LOOKUP', 1, cString('x'.repeat(256)))).error, -Errno.ENAMETOOLONG)
  t.is((await kernel.request('LOOKUP', 1, cString('x'.repeat(255)))).error, 0)
})

test('extensions behind a name are not part of it', async (t) => {
  const names: string[] = []
  const { kernel } = served({ lookup: (_, name) => void names.push(name) })
  const body = Buffer.concat([cString('ab'), Buffer.from('0800000020000000', 'hex')])
  const header = encode(InHeader, {
    len: 40 + body.length,
    opcode: Opcode.LOOKUP,
    unique: 100,
    nodeid: 1,
    uid: 0,
    gid: 0,
    pid: 0,
    totalExtlen: 1,
    padding: 0,
  })
  kernel.deliver(Buffer.concat([header, body]))
  t.deepEqual(names, ['ab'])
})

test('messages that are too short are refused, and the session goes on', async (t) => {
  const { kernel } = served({})
  kernel.deliver(Buffer.alloc(12))
  t.is((await kernel.request('READ', 2, Buffer.alloc(8))).error, -Errno.EINVAL)
  t.is((await kernel.request('LOOKUP', 1, Buffer.from('no end'))).error, -Errno.EINVAL)
  t.is((await kernel.request('GETATTR', 2, Buffer.alloc(16))).error, 0)
})

test('READ sends the pieces as they are, one reply for each request', async (t) => {
  const { kernel } = served({
    read: (_, offset, size) =>
      Promise.resolve([Buffer.alloc(2, 'a'), Buffer.alloc(size - 2, String(offset))]),
  })
  const replies = await Promise.all([
    kernel.request('READ', 2, read(1, 4)),
    kernel.request('READ', 2, read(2, 5)),
  ])
  t.deepEqual(
    replies.map(({ body }) => body.toString()),
    ['aa11', 'aa222'],
  )
  t.is(kernel.replies.length, 2)
})

test('whatever an operation throws, there is exactly one reply', async (t) => {
  const { kernel } = served({
    getattr: () => {
      throw new Error('sync')
    },
    read: () => Promise.reject(new FuseError('EISDIR')),
    // An answer that cannot be encoded.
    readlink: () => undefined as unknown as string,
  })
  t.is((await kernel.request('GETATTR', 1, Buffer.alloc(16))).error, -Errno.EIO)
  t.is((await kernel.request('READ', 1, read(0, 1))).error, -Errno.EISDIR)
  t.is((await kernel.request('READLINK', 1)).error, -Errno.EIO)
  t.is(kernel.replies.length, 3)
})

test('INTERRUPT aborts the request it names, which is answered with EINTR; others go on', async (t) => {
  const aborted: number[] = []
  const { kernel } = served({
    read: (nodeid, _offset, _size, { signal }) =>
      new Promise((resolve, reject) => {
        if (nodeid === 3) setImmediate(() => resolve([Buffer.from('x')]))
        signal.addEventListener('abort', () => {
          aborted.push(nodeid)
          reject(signal.reason)
        })
      }),
  })
  const first = kernel.request('READ', 2, read(0, 1))
  const second = kernel.request('READ', 3, read(0, 1))
  kernel.send(Opcode.INTERRUPT, first.unique | 1, 0, [encode(InterruptIn, { unique: first.unique })])
  t.is((await first).error, -Errno.EINTR)
  t.is((await second).error, 0)
  t.deepEqual(aborted, [2])
  // Answered already: nothing to interrupt, and nothing to answer.
  kernel.send(Opcode.INTERRUPT, first.unique | 1, 0, [encode(InterruptIn, { unique: first.unique })])
  t.is(kernel.replies.length, 2)
})

test('FORGET and BATCH_FORGET are passed on and not answered', (t) => {
  const forgotten: [number, number][] = []
  const { kernel } = served({ forget: (nodeid, lookups) => void forgotten.push([nodeid, lookups]) })
  kernel.tell('FORGET', 5, encode(ForgetIn, { nlookup: 3 }))
  kernel.tell(
    'BATCH_FORGET',
    0,
    encode(BatchForgetIn, { count: 2, dummy: 0 }),
    encode(ForgetOne, { nodeid: 6, nlookup: 1 }),
    encode(ForgetOne, { nodeid: 7, nlookup: 2 }),
  )
  // A count that the message does not bear out.
  kernel.tell(
    'BATCH_FORGET',
    0,
    encode(BatchForgetIn, { count: 1000, dummy: 0 }),
    encode(ForgetOne, { nodeid: 8, nlookup: 1 }),
  )
  t.deepEqual(forgotten, [
    [5, 3],
    [6, 1],
    [7, 2],
    [8, 1],
  ])
  t.is(kernel.replies.length, 0)
})

test('READDIR packs whole records of aligned length, no more than there is room for', async (t) => {
  const results: string[] = []
  const { kernel } = served({
    readdir: (nodeid, cookie, sink) => {
      if (cookie === 0) sink.addHere('.', 1, nodeid)
      results.push(sink.add('abc', 2, entry(9)), sink.add('x'.repeat(255), 3, entry(10)))
    },
  })
  const { body } = await kernel.request('READDIR', 1, read(0, 100))
  t.deepEqual(results, ['added', 'full'])
  t.is(body.length, 32 + 32)
  t.like(decode(Dirent, body, 32), { ino: 9, off: 2, namelen: 3, type: 8 })
  t.is(body.subarray(56, 64).toString('latin1'), 'abc\0\0\0\0\0')
})

test('READDIRPLUS counts lookups, but not those of the folder itself', async (t) => {
  const results: unknown[] = []
  const { kernel } = served({
    readdir: (nodeid, _cookie, sink) => {
      results.push(sink.addHere('.', 1, nodeid), sink.add('abc', 2, entry(9)))
    },
  })
  const { body } = await kernel.request('READDIRPLUS', 1, read(0, 4096))
  t.deepEqual(results, [true, 'counted'])
  t.is(decode(EntryOut, body).nodeid, 0)
  t.is(decode(EntryOut, body, 160).nodeid, 9)
})

test('a reply that the kernel refuses becomes one error', async (t) => {
  const { kernel } = served({ read: () => [Buffer.from('x')] })
  kernel.fate = 'refused'
  t.is((await kernel.request('READ', 2, read(0, 1))).error, -Errno.EIO)
  t.is(kernel.replies.length, 1)
})

test('lookups that the kernel never hears of are taken back', async (t) => {
  const forgotten: number[] = []
  let fails = false
  const { kernel } = served({
    lookup: () => entry(7),
    readdir: (nodeid, _cookie, sink) => {
      sink.addHere('.', 1, nodeid)
      sink.add('a', 2, entry(8))
      sink.add('b', 3, entry(9))
      if (fails) throw new FuseError('EIO')
      return Promise.resolve()
    },
    forget: (nodeid, lookups) => void forgotten.push(...Array<number>(lookups).fill(nodeid)),
  })
  await kernel.request('LOOKUP', 1, cString('x'))
  await kernel.request('READDIRPLUS', 1, read(0, 4096))
  t.deepEqual(forgotten, [])
  fails = true
  t.is((await kernel.request('READDIRPLUS', 1, read(0, 4096))).error, -Errno.EIO)
  t.is((await kernel.request('READDIR', 1, read(0, 4096))).error, -Errno.EIO)
  t.deepEqual(forgotten.splice(0), [8, 9])
  fails = false
  kernel.fate = 'refused'
  await kernel.request('READDIRPLUS', 1, read(0, 4096))
  t.deepEqual(forgotten.splice(0), [8, 9])
  kernel.fate = 'unwanted'
  void kernel.request('LOOKUP', 1, cString('x'))
  void kernel.request('READDIRPLUS', 1, read(0, 4096))
  await new Promise(setImmediate)
  t.deepEqual(forgotten, [7, 8, 9])
})

test('xattrs: size first, then value; too small and absent have their own errors', async (t) => {
  const { kernel } = served({
    getxattr: (_, name) => (name === 'user.a' ? Buffer.from('value') : undefined),
    listxattr: () => ['user.a', 'user.b'],
  })
  const ask = (size: number): Buffer => encode(GetxattrIn, { size, padding: 0 })
  t.is(decode(GetxattrOut, (await kernel.request('GETXATTR', 2, ask(0), cString('user.a'))).body).size, 5)
  t.is((await kernel.request('GETXATTR', 2, ask(5), cString('user.a'))).body.toString(), 'value')
  t.is((await kernel.request('GETXATTR', 2, ask(4), cString('user.a'))).error, -Errno.ERANGE)
  t.is((await kernel.request('GETXATTR', 2, ask(9), cString('user.c'))).error, -Errno.ENODATA)
  t.is((await kernel.request('LISTXATTR', 2, ask(99))).body.toString(), 'user.a\0user.b\0')
})

test('LSEEK behind the end is ENXIO', async (t) => {
  const { kernel } = served({
    lseek: (_, offset, want) => (offset < 10 ? (want === 'data' ? offset : 10) : undefined),
  })
  const ask = (offset: number, whence: number): Buffer =>
    encode(LseekIn, { fh: 0, offset, whence, padding: 0 })
  t.is((await kernel.request('LSEEK', 2, ask(3, 4))).body.readUInt32LE(0), 10)
  t.is((await kernel.request('LSEEK', 2, ask(10, 3))).error, -Errno.ENXIO)
  t.is((await kernel.request('LSEEK', 2, ask(1, 0))).error, -Errno.EINVAL)
})

test('writes are refused, unknown opcodes are not there', async (t) => {
  const { kernel } = served({})
  t.is((await kernel.request('MKDIR', 1, Buffer.alloc(8), cString('x'))).error, -Errno.EROFS)
  t.is((await kernel.request('WRITE', 1, Buffer.alloc(40))).error, -Errno.EROFS)
  t.is((await kernel.request('SETATTR', 1, Buffer.alloc(88))).error, -Errno.EROFS)
  kernel.send(9999, 1234, 1, [])
  t.like(kernel.replies.at(-1), { unique: 1234, error: -Errno.ENOSYS })
})

test('the end of the channel ends the session and aborts what still waits', async (t) => {
  const { kernel, done } = served({
    read: (_nodeid, _offset, _size, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  })
  await kernel.init()
  const pending = kernel.request('READ', 2, read(0, 1))
  kernel.end()
  await done
  t.is((await pending).error, -Errno.EINTR)
})

test('notifications carry the kernel’s layout', async (t) => {
  const { kernel, session } = served({})
  await session.invalidateEntry(1, 'snap.1')
  await session.invalidateInode(7)
  const [entryMessage, inodeMessage] = kernel.notifications as [Buffer, Buffer]
  t.is(
    entryMessage.toString('hex'),
    `27000000030000000000000000000000${'01'.padEnd(16, '0')}0600000000000000${Buffer.from('snap.1\0').toString('hex')}`,
  )
  t.is(inodeMessage.length, 40)
  t.is(inodeMessage.readInt32LE(4), 2)
})

// Read off /dev/fuse on a kernel 6.18: a name that is not UTF-8, `cat`, `ls`, `getfattr -n user.a`.
const golden = {
  lookup: '2d000000010000001600000000000000010000000000000000000000000000005236000000000000636166e900',
  getattr:
    '38000000030000000c0000000000000001000000000000000000000000000000513600000000000000000000000000000000000000000000',
  read: '500000000f000000080000000000000009000000000000000000000000000000503600000000000000000000000000000000000000000000001000000000000000000000000000000080000000000000',
  readdirplus:
    '500000002c00000012000000000000000100000000000000000000000000000051360000000000000000000000000000cc00000000000000008000000000000000000000000000000088010000000000',
  getxattr:
    '370000001600000018000000000000000a00000000000000000000000000000054360000000000000000000000000000757365722e6100',
}

test('golden messages of a real kernel are understood', (t) => {
  const asked: unknown[] = []
  const { kernel } = served({
    lookup: (...[parent, name]) => void asked.push(['lookup', parent, name]),
    getattr: (nodeid) => {
      asked.push(['getattr', nodeid])
      return { attr: attr(nodeid), attrValid: 1 }
    },
    read: (...[nodeid, offset, size]) => {
      asked.push(['read', nodeid, offset, size])
      return []
    },
    readdir: (nodeid, cookie) => void asked.push(['readdir', nodeid, cookie]),
    getxattr: (...[nodeid, name]) => void asked.push(['getxattr', nodeid, name]),
  })
  for (const hex of Object.values(golden)) kernel.deliver(Buffer.from(hex, 'hex'))
  t.deepEqual(asked, [
    ['lookup', 1, 'caf\xe9'],
    ['getattr', 1],
    ['read', 9, 0, 4096],
    ['readdir', 1, 204],
    ['getxattr', 10, 'user.a'],
  ])
  t.deepEqual(
    kernel.replies.map(({ unique, error }) => [unique, error]),
    [
      [22, 0],
      [12, 0],
      [8, 0],
      [18, 0],
      [24, -Errno.ENODATA],
    ],
  )
  t.is(decode(AttrOut, kernel.replies[1]?.body as Buffer).attr.ino, 1)
})

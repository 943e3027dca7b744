import { constants } from 'node:fs'
import test from 'ava'
import { Errno, FuseError } from '../../src/fuse/errno.ts'
import { requestBufferSize } from '../../src/fuse/negotiate.ts'
import {
  CopyFileRangeOut,
  EntryOut,
  InHeader,
  InitFlag,
  InitOut,
  InterruptIn,
  LinkIn,
  Opcode,
  OpenOut,
  ReleaseIn,
  RenameIn,
  WriteIn,
  WriteOut,
} from '../../src/fuse/protocol.ts'
import {
  copyOf,
  createOf,
  fallocateOf,
  oneOfEach,
  openOf,
  rename2Of,
  setattrOf,
  setxattrOf,
  writeOf,
} from '../support/change-requests.ts'
import { cString, decode, encode } from '../support/kernel-double.ts'
import { madeNode, recordedChanges } from '../support/recorded-changes.ts'
import { served } from '../support/served.ts'

const { O_WRONLY, O_RDWR, O_TRUNC, O_CREAT } = constants

const release = (fh: number): Buffer =>
  encode(ReleaseIn, { fh, flags: O_WRONLY, releaseFlags: 0, lockOwner: 0n })

test('a mount that can be changed asks to be told of opens, a mount for reading does not', async (t) => {
  const flagsOf = async (changes: ReturnType<typeof recordedChanges>['changes'] | undefined) =>
    decode(InitOut, (await served({ changes }).kernel.init()).body).flags
  const forChanges = InitFlag.HANDLE_KILLPRIV_V2 | InitFlag.DONT_MASK
  const forReading = InitFlag.NO_OPEN_SUPPORT | InitFlag.NO_OPENDIR_SUPPORT
  const [atomicTruncation, writebackCache] = [1 << 3, 1 << 16]
  const all = forChanges | forReading | atomicTruncation | writebackCache
  const [changing, reading] = [await flagsOf(recordedChanges().changes), await flagsOf(undefined)]
  t.is(changing & all, forChanges)
  t.is(reading & all, forReading)
})

test('a request of the most data that INIT allows fits the buffer', async (t) => {
  const { maxWrite } = decode(
    InitOut,
    (await served({ changes: recordedChanges().changes }).kernel.init()).body,
  )
  t.true(requestBufferSize >= InHeader.size + WriteIn.size + maxWrite)
})

const notThere = new Set(['COPY_FILE_RANGE', 'COPY_FILE_RANGE_64', 'FLUSH', 'FSYNC', 'FSYNCDIR'])

for (const [name, ...body] of oneOfEach) {
  test(`${name} without changes is refused, whatever it says`, async (t) => {
    const { kernel } = served({})
    const expected = notThere.has(name) ? -Errno.ENOSYS : -Errno.EROFS
    t.is((await kernel.request(name, 2, ...body)).error, expected)
    t.is((await kernel.request(name, 2)).error, expected)
    t.is(kernel.replies.length, 2)
  })

  test(`${name} tells the filesystem once, and of who asks`, async (t) => {
    const { changes, told, callers } = recordedChanges()
    const { kernel } = served({ changes })
    kernel.caller = { uid: 1000, gid: 1001 }
    t.is((await kernel.request(name, 2, ...body)).error, 0)
    t.is(told.length, 1)
    t.deepEqual(callers, [[1000, 1001]])
    t.is(kernel.replies.length, 1)
  })

  test(`${name} that fails is answered once with its error`, async (t) => {
    for (const fail of [
      () => {
        throw new FuseError('ENOTEMPTY')
      },
      () => Promise.reject(new FuseError('ENOTEMPTY')),
    ]) {
      const { changes, told } = recordedChanges(fail)
      const forgotten: number[] = []
      const { kernel } = served({ changes, forget: (nodeid) => void forgotten.push(nodeid) })
      t.is((await kernel.request(name, 2, ...body)).error, -Errno.ENOTEMPTY)
      t.is(kernel.replies.length, 1)
      t.is(told.length, 1, 'nothing is closed that was not opened')
      t.deepEqual(forgotten, [])
    }
  })

  if (name === 'FLUSH' || name === 'FSYNC' || name === 'FSYNCDIR') continue
  test(`${name} cut short is EINVAL, and changes nothing`, async (t) => {
    const { changes, told } = recordedChanges()
    const { kernel } = served({ changes })
    const whole = Buffer.concat(body)
    // The name of TMPFILE is not looked at.
    const least = name === 'TMPFILE' ? whole.length - 2 : whole.length
    for (let length = 0; length < least; length++)
      t.is((await kernel.request(name, 2, whole.subarray(0, length))).error, -Errno.EINVAL, `${length}`)
    t.deepEqual(told, [])
  })
}

test('OPEN tells how, and RELEASE closes in the same way', async (t) => {
  const modes = [
    [0, { writes: false }],
    [O_WRONLY, { writes: true }],
    [O_RDWR, { writes: true }],
  ] as const
  for (const [flags, mode] of modes) {
    const { changes, told } = recordedChanges()
    const { kernel } = served({ changes })
    const opened = await kernel.request('OPEN', 5, openOf(flags))
    const { fh, openFlags: kept } = decode(OpenOut, opened.body)
    t.is(kept, 2, 'the pages are kept')
    t.is((await kernel.request('RELEASE', 5, release(fh))).error, 0)
    t.deepEqual(told, [
      ['open', 5, mode],
      ['close', 5, mode],
    ])
  }
})

test('folders are opened without the filesystem, and their listings kept', async (t) => {
  const { changes, told } = recordedChanges()
  const { kernel } = served({ changes })
  await kernel.init()
  t.is(decode(OpenOut, (await kernel.request('OPENDIR', 1, openOf(0))).body).openFlags, 2 | 8)
  t.is((await kernel.request('RELEASEDIR', 1, release(0))).error, 0)
  t.deepEqual(told, [])
})

test('CREATE and TMPFILE answer with the node and its handle', async (t) => {
  const { changes, told } = recordedChanges()
  const { kernel } = served({ changes })
  const flags = O_CREAT | O_RDWR | O_TRUNC
  for (const name of ['CREATE', 'TMPFILE'] as const) {
    const { body } = await kernel.request(name, 1, ...createOf('caf\xe9', flags, 0o104640))
    t.is(body.length, 144)
    t.is(decode(EntryOut, body).nodeid, madeNode)
    const { fh } = decode(OpenOut, body, EntryOut.size)
    await kernel.request('RELEASE', madeNode, release(fh))
  }
  const mode = { writes: true }
  t.deepEqual(told, [
    ['create', 1, 'caf\xe9', { mode: 0o4640, umask: 0o022 }, mode],
    ['close', madeNode, mode],
    ['createUnnamed', 1, { mode: 0o4640, umask: 0o022 }, mode],
    ['close', madeNode, mode],
  ])
})

test('what the kernel does not hear of is closed and forgotten', async (t) => {
  const makers = new Set(['CREATE', 'TMPFILE', 'MKNOD', 'MKDIR', 'SYMLINK', 'LINK'])
  for (const fate of ['unwanted', 'refused'] as const) {
    for (const [name, ...body] of [...oneOfEach, ['OPEN', openOf(O_WRONLY)] as const]) {
      const { changes, told } = recordedChanges()
      const forgotten: [number, number][] = []
      const { kernel } = served({ changes, forget: (...node) => void forgotten.push(node) })
      kernel.fate = fate
      void kernel.request(name, 2, ...body)
      t.deepEqual(forgotten, makers.has(name) ? [[madeNode, 1]] : [], name)
      const opened = { CREATE: madeNode, TMPFILE: madeNode, OPEN: 2 }[name as string]
      const mode = { writes: true }
      t.deepEqual(told.slice(1), opened === undefined ? [] : [['close', opened, mode]], name)
    }
  }
})

test('WRITE answers how much; its bytes are there until the call returns, and then no more', async (t) => {
  const kept: Buffer[] = []
  const copied: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const { changes } = recordedChanges()
  const { kernel } = served({
    changes: {
      ...changes,
      write: (_nodeid, _offset, bytes) => {
        kept.push(bytes)
        copied.push(bytes.toString())
        return promise
      },
    },
  })
  const first = kernel.request('WRITE', 2, ...writeOf(0, 'first'))
  const second = kernel.request('WRITE', 2, ...writeOf(5, 'second'))
  t.is(kernel.replies.length, 0)
  resolve()
  t.deepEqual(
    (await Promise.all([first, second])).map(({ body }) => decode(WriteOut, body).size),
    [5, 6],
  )
  t.deepEqual(copied, ['first', 'second'])
  t.deepEqual(
    kept.map(String),
    ['!!!!!', '!!!!!!'],
    'a view, not a copy: the buffer has been used for something else',
  )
})

test('an xattr’s value is the filesystem’s to keep', async (t) => {
  const kept: Buffer[] = []
  const { changes } = recordedChanges()
  const { kernel } = served({
    changes: { ...changes, setxattr: (_nodeid, _name, value) => void kept.push(value) },
  })
  await kernel.request('SETXATTR', 2, ...setxattrOf('user.a', 'v\0w', 0))
  t.is(kept[0]?.toString(), 'v\0w')
})

test('setuid bits are to be cleared where the kernel says so', async (t) => {
  const { changes, told } = recordedChanges()
  const { kernel } = served({ changes })
  await kernel.request('WRITE', 2, ...writeOf(0, 'x', 4))
  await kernel.request('WRITE', 2, ...writeOf(0, 'x', 3))
  await kernel.request('SETATTR', 2, setattrOf(0x808, { size: 1 }))
  t.deepEqual(told.slice(0, 2), [
    ['write', 2, 0, 'x', true],
    ['write', 2, 0, 'x', false],
  ])
  t.like(told[2]?.[2], { size: 1, clearSetuid: true })
})

test('SETATTR changes what its bits say and nothing else', async (t) => {
  const { changes, told } = recordedChanges()
  const { kernel } = served({ changes })
  const fields = {
    size: 7,
    mode: 0o104755,
    uid: 3,
    gid: 4,
    atime: 5,
    atimensec: 6,
    mtime: -7,
    mtimensec: 8,
    ctime: 9,
  }
  const nothing = {
    mode: undefined,
    uid: undefined,
    gid: undefined,
    size: undefined,
    atime: undefined,
    mtime: undefined,
    clearSetuid: false,
  }
  const cases = [
    [0, {}],
    [1, { mode: 0o4755 }],
    [2, { uid: 3 }],
    [4, { gid: 4 }],
    [8 | 0x40 | 0x200, { size: 7 }],
    [0x10, { atime: { seconds: 5, nanoseconds: 6 } }],
    [0x20, { mtime: { seconds: -7, nanoseconds: 8 } }],
    [0x10 | 0x20 | 0x80 | 0x100, { atime: 'now', mtime: 'now' }],
    [0x10 | 0x80 | 0x20, { atime: 'now', mtime: { seconds: -7, nanoseconds: 8 } }],
    [0x400, {}],
    [0x800, { clearSetuid: true }],
  ] as const
  for (const [valid, expected] of cases) {
    t.is((await kernel.request('SETATTR', 2, setattrOf(valid, fields))).body.length, 104)
    t.deepEqual(told.pop(), ['setAttributes', 2, { ...nothing, ...expected }])
  }
})

test('renaming: each flag has its kind, and whiteouts are not made', async (t) => {
  const { changes, told } = recordedChanges()
  const { kernel } = served({ changes })
  const places = [
    { parent: 2, name: 'a' },
    { parent: 3, name: 'b' },
  ]
  for (const [flags, how] of [
    [0, 'replace'],
    [1, 'keep'],
    [2, 'exchange'],
  ] as const) {
    await kernel.request('RENAME2', 2, ...rename2Of(3, flags, 'a', 'b'))
    t.deepEqual(told.pop(), ['rename', ...places, how])
  }
  for (const flags of [4, 3, 5, 8])
    t.is((await kernel.request('RENAME2', 2, ...rename2Of(3, flags, 'a', 'b'))).error, -Errno.EINVAL)
  t.deepEqual(told, [])
})

test('fallocate: each mode has its kind, others are not supported', async (t) => {
  const { changes, told } = recordedChanges()
  const { kernel } = served({ changes })
  for (const [mode, how] of [
    [0, 'allocate'],
    [1, 'allocateKeepingSize'],
    [3, 'punch'],
    [16, 'zero'],
    [17, 'zeroKeepingSize'],
  ] as const) {
    await kernel.request('FALLOCATE', 2, fallocateOf(10, 20, mode))
    t.deepEqual(told.pop(), ['allocate', 2, { offset: 10, length: 20 }, how])
  }
  for (const mode of [2, 8, 32, 64])
    t.is((await kernel.request('FALLOCATE', 2, fallocateOf(0, 1, mode))).error, -Errno.EOPNOTSUPP)
  t.deepEqual(told, [])
})

test('xattrs: each flag has its kind, and a value may be empty', async (t) => {
  const { changes, told } = recordedChanges()
  const { kernel } = served({ changes })
  for (const [flags, how] of [
    [0, 'any'],
    [1, 'create'],
    [2, 'replace'],
  ] as const) {
    await kernel.request('SETXATTR', 2, ...setxattrOf('user.a', '', flags))
    t.deepEqual(told.pop(), ['setxattr', 2, 'user.a', '', how])
  }
  t.is((await kernel.request('SETXATTR', 2, ...setxattrOf('user.a', '', 3))).error, -Errno.EINVAL)
  t.is((await kernel.request('SETXATTR', 2, ...setxattrOf('user.a', 'abc', 0, 4))).error, -Errno.EINVAL)
})

test('copies are answered with their length: 64 bits where the kernel can, else no more than 32', async (t) => {
  const { changes, told } = recordedChanges()
  const { kernel } = served({ changes })
  const length = 5 * 2 ** 30
  const long = await kernel.request('COPY_FILE_RANGE_64', 2, copyOf(1, 6, 3, length))
  t.is(decode(CopyFileRangeOut, long.body).bytesCopied, length)
  const short = await kernel.request('COPY_FILE_RANGE', 2, copyOf(1, 6, 3, length))
  t.is(decode(WriteOut, short.body).size, 2 ** 32 - 4096)
  const places = [
    { nodeid: 2, offset: 1 },
    { nodeid: 6, offset: 3 },
  ]
  t.deepEqual(told, [
    ['copyRange', ...places, length],
    ['copyRange', ...places, 2 ** 32 - 4096],
  ])
  t.is((await kernel.request('COPY_FILE_RANGE_64', 2, copyOf(1, 6, 3, 1, 1))).error, -Errno.EINVAL)
})

test('what would lie behind the largest safe integer is EFBIG', async (t) => {
  const { changes, told } = recordedChanges()
  const { kernel } = served({ changes })
  const end = Number.MAX_SAFE_INTEGER
  const refused = [
    kernel.request('WRITE', 2, ...writeOf(end, 'x')),
    kernel.request('SETATTR', 2, setattrOf(8, { size: 2 ** 62 })),
    kernel.request('FALLOCATE', 2, fallocateOf(end - 1, 2, 0)),
    kernel.request('COPY_FILE_RANGE_64', 2, copyOf(0, 6, end, 1)),
    kernel.request('COPY_FILE_RANGE_64', 2, copyOf(2 ** 62, 6, 0, 1)),
  ]
  for (const { error } of await Promise.all(refused)) t.is(error, -Errno.EFBIG)
  t.deepEqual(told, [])
  t.is((await kernel.request('WRITE', 2, ...writeOf(end - 1, 'x'))).error, 0)
})

test('names: bytes, no more than 255 of them, targets up to 4095', async (t) => {
  const { changes, told } = recordedChanges()
  const { kernel } = served({ changes })
  const newdir = encode(RenameIn, { newdir: 3 })
  const longest = '\xff'.repeat(255)
  t.is((await kernel.request('RENAME', 2, newdir, cString(longest), cString(longest))).error, 0)
  t.deepEqual(told.pop()?.slice(1, 3), [
    { parent: 2, name: longest },
    { parent: 3, name: longest },
  ])
  for (const [from, to] of [
    [`${longest}x`, 'a'],
    ['a', `${longest}x`],
  ] as const)
    t.is((await kernel.request('RENAME', 2, newdir, cString(from), cString(to))).error, -Errno.ENAMETOOLONG)
  const target = 'x'.repeat(4095)
  t.is((await kernel.request('SYMLINK', 2, cString('a'), cString(target))).error, 0)
  t.deepEqual(told.pop(), ['makeSymlink', 2, 'a', target])
  t.is((await kernel.request('SYMLINK', 2, cString('a'), cString(`${target}x`))).error, -Errno.ENAMETOOLONG)
})

test('extensions behind names are neither names nor values', async (t) => {
  const { changes, told } = recordedChanges()
  const { kernel } = served({ changes })
  const deliver = (name: keyof typeof Opcode, ...parts: Buffer[]): void => {
    const extension = Buffer.concat([cString('not a name'), Buffer.alloc(5)])
    const body = Buffer.concat([...parts, extension])
    const header = { len: 40 + body.length, opcode: Opcode[name], unique: 100, nodeid: 2 }
    const rest = { uid: 0, gid: 0, pid: 0, totalExtlen: extension.length / 8, padding: 0 }
    kernel.deliver(Buffer.concat([encode(InHeader, { ...header, ...rest }), body]))
  }
  deliver('RENAME', encode(RenameIn, { newdir: 3 }), cString('a'))
  deliver('SYMLINK', cString('a'))
  deliver('WRITE', ...writeOf(0, 'x').slice(0, 1))
  deliver('SETXATTR', ...setxattrOf('user.a', '', 0, 4))
  deliver('LINK', encode(LinkIn, { oldnodeid: 3 }), cString('a'))
  t.deepEqual(
    kernel.replies.map(({ error }) => error),
    [-Errno.EINVAL, -Errno.EINVAL, -Errno.EINVAL, -Errno.EINVAL, 0],
  )
  t.deepEqual(told, [['link', 3, 2, 'a']])
})

test('a change that is interrupted answers what became of it', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { changes } = recordedChanges(() => promise)
  const { kernel } = served({ changes })
  const pending = kernel.request('FSYNC', 2, Buffer.alloc(16))
  kernel.send(Opcode.INTERRUPT, pending.unique | 1, 0, [encode(InterruptIn, { unique: pending.unique })])
  resolve()
  t.is((await pending).error, 0)
})

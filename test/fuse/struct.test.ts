import test from 'ava'
import fc from 'fast-check'

import * as protocol from '../../src/fuse/protocol.ts'
import { struct } from '../../src/fuse/struct.ts'
import { decode, encode } from '../support/kernel-double.ts'

const sizes = {
  InHeader: 40,
  OutHeader: 16,
  InitOut: 64,
  Attr: 88,
  EntryOut: 128,
  AttrOut: 104,
  OpenIn: 8,
  OpenOut: 16,
  CreateIn: 16,
  ReleaseIn: 24,
  FlushIn: 24,
  WriteIn: 40,
  WriteOut: 8,
  SetattrIn: 88,
  MknodIn: 16,
  MkdirIn: 8,
  RenameIn: 8,
  Rename2In: 16,
  LinkIn: 8,
  FallocateIn: 32,
  CopyFileRangeIn: 56,
  CopyFileRangeOut: 8,
  SetxattrIn: 8,
  ForgetIn: 8,
  BatchForgetIn: 8,
  ForgetOne: 16,
  ReadIn: 40,
  GetxattrIn: 8,
  GetxattrOut: 8,
  LseekIn: 24,
  LseekOut: 8,
  InterruptIn: 8,
  Kstatfs: 80,
  Dirent: 24,
  NotifyInvalInodeOut: 24,
  NotifyInvalEntryOut: 16,
} as const

for (const [name, size] of Object.entries(sizes)) {
  test(`${name} has the kernel's size of ${size} bytes`, (t) => {
    // biome-ignore lint/performance/noDynamicNamespaceImportAccess: the table names them all
    t.is(protocol[name as keyof typeof sizes].size, size)
  })
}

test('fields lie where the kernel has them', (t) => {
  const bytes = encode(protocol.Attr, {
    ino: 0x1_0000_0002,
    size: 3,
    blocks: 4,
    atime: -1,
    mtime: 6,
    ctime: 7,
    atimensec: 8,
    mtimensec: 9,
    ctimensec: 10,
    mode: 0o100644,
    nlink: 12,
    uid: 13,
    gid: 14,
    rdev: 15,
    blksize: 16,
    flags: 0,
  })
  t.is(bytes.readBigUInt64LE(0), 0x1_0000_0002n)
  t.is(bytes.readBigInt64LE(24), -1n)
  t.is(bytes.readUInt32LE(60), 0o100644)
  t.is(bytes.readUInt32LE(76), 15)
  t.is(bytes.readUInt32LE(80), 16)
})

test('what is encoded is decoded, up to the largest safe integer and for negative times', (t) => {
  const type = struct({
    a: 'u16',
    b: 'u32',
    c: 'i32',
    d: 'u64',
    e: 'i64',
    f: 'opaque64',
    g: struct({ h: 'u32', i: 'i64' }),
  })
  const safe = fc.maxSafeInteger()
  fc.assert(
    fc.property(
      fc.record({
        a: fc.nat(0xffff),
        b: fc.nat(0xffffffff),
        c: fc.integer(),
        d: fc.maxSafeNat(),
        e: safe,
        f: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        g: fc.record({ h: fc.nat(0xffffffff), i: safe }),
      }),
      (value) => {
        t.deepEqual(decode(type, encode(type, value)), value)
      },
    ),
  )
})

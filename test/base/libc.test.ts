import { closeSync, lstatSync, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  lchown,
  lgetxattr,
  llistxattr,
  lseekData,
  lseekHole,
  lsetxattr,
  mkfifo,
  mknod,
  S_IFIFO,
  utimensat,
} from '../../src/base/libc.ts'
import { temporaryFolder } from '../support/mounted.ts'

test('attributes have any bytes as their value, none too, and a name of bytes', async (t) => {
  await using folder = await temporaryFolder()
  const path = Buffer.from(join(folder.path, 'file'))
  writeFileSync(path, '')
  const attributes = new Map([
    ['user.binary', Buffer.from([0, 1, 0xff, 0])],
    ['user.empty', Buffer.alloc(0)],
    ['user.caf\xe9', Buffer.from('latin1')],
  ])
  for (const [name, value] of attributes) lsetxattr(path, Buffer.from(name, 'latin1'), value)
  const names = llistxattr(path).map((name) => name.toString('latin1'))
  t.deepEqual(names.filter((name) => name.startsWith('user.')).sort(), [...attributes.keys()].sort())
  for (const [name, value] of attributes)
    t.deepEqual(lgetxattr(path, Buffer.from(name, 'latin1')), value, name)
  t.is(lgetxattr(path, Buffer.from('user.absent')), undefined)
})

test('what is asked of a symlink is not asked of its target', async (t) => {
  await using folder = await temporaryFolder()
  const [file, link] = [Buffer.from(join(folder.path, 'file')), Buffer.from(join(folder.path, 'link'))]
  writeFileSync(file, '')
  symlinkSync('file', link)
  lsetxattr(file, Buffer.from('user.of-the-file'), Buffer.from('x'))
  t.is(lgetxattr(link, Buffer.from('user.of-the-file')), undefined)
  const before = lstatSync(file, { bigint: true }).mtimeNs
  utimensat(link, { seconds: 1, nanoseconds: 2 }, { seconds: 3, nanoseconds: 4 })
  t.is(lstatSync(file, { bigint: true }).mtimeNs, before)
  t.is(lstatSync(link, { bigint: true }).mtimeNs, 3_000_000_004n)
  const { uid, gid } = lstatSync(link)
  t.notThrows(() => lchown(link, uid, gid))
})

test('times have nanoseconds, and may lie before 1970', async (t) => {
  await using folder = await temporaryFolder()
  const path = Buffer.from(join(folder.path, 'file'))
  writeFileSync(path, '')
  for (const [seconds, nanoseconds, expected] of [
    [1_700_000_000, 123_456_789, 1_700_000_000_123_456_789n],
    [-1, 999_999_999, -1n],
    [-86_400, 0, -86_400_000_000_000n],
  ] as const) {
    utimensat(path, { seconds: 0, nanoseconds: 0 }, { seconds, nanoseconds })
    t.is(lstatSync(path, { bigint: true }).mtimeNs, expected)
  }
})

test('data and holes are found one after the other', async (t) => {
  await using folder = await temporaryFolder()
  const block = 64 << 10
  const fd = openSync(join(folder.path, 'sparse'), 'wx+')
  try {
    t.is(lseekData(fd, 0), undefined)
    t.is(lseekHole(fd, 0), undefined)
    writeSync(fd, Buffer.alloc(block, 'x'), 0, block, 16 * block)
    writeSync(fd, 'x', 32 * block)
    const data = lseekData(fd, 0)
    if (data === 0) return t.log('this file system keeps no holes')
    t.is(data, 16 * block)
    t.is(lseekHole(fd, 0), 0)
    t.is(lseekHole(fd, 16 * block), 17 * block)
    t.is(lseekData(fd, 17 * block), 32 * block)
    t.is(lseekHole(fd, 32 * block), 32 * block + 1)
    t.is(lseekData(fd, 32 * block + 1), undefined)
  } finally {
    closeSync(fd)
  }
})

test('a FIFO gets a name that is not UTF-8', async (t) => {
  await using folder = await temporaryFolder()
  const path = Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.from([0xff, 0xfe])])
  mkfifo(path, 0o600)
  t.true(lstatSync(path).isFIFO())
  t.is(lstatSync(path).mode & 0o777, 0o600)
  t.throws(() => mknod(path, S_IFIFO | 0o600, 0, 0), { code: 'EEXIST' })
})

test('a failure has the name of its errno', async (t) => {
  await using folder = await temporaryFolder()
  const absent = Buffer.from(join(folder.path, 'absent'))
  t.throws(() => lgetxattr(absent, Buffer.from('user.x')), {
    code: 'ENOENT',
    message: /^ENOENT: .*lgetxattr/,
  })
  t.throws(() => llistxattr(absent), { code: 'ENOENT' })
  t.throws(() => lseekData(-1, 0), { code: 'EBADF' })
  t.throws(() => lgetxattr(Buffer.from('/\0'), Buffer.from('user.x')), { code: 'EINVAL' })
})

import {
  CopyFileRangeIn,
  CreateIn,
  FallocateIn,
  FlushIn,
  LinkIn,
  MkdirIn,
  MknodIn,
  type OpcodeName,
  OpenIn,
  Rename2In,
  RenameIn,
  SetattrIn,
  SetxattrIn,
  WriteIn,
} from '../../src/fuse/protocol.ts'
import { type FieldsOf, struct } from '../../src/fuse/struct.ts'
import { cString, encode } from './kernel-double.ts'

/** The bodies of requests that change something, as the kernel makes them. */

export const writeOf = (offset: number, data: string, writeFlags = 0): Buffer[] => [
  encode(WriteIn, { fh: 0, offset, size: data.length, writeFlags, lockOwner: 0n, flags: 0, padding: 0 }),
  Buffer.from(data, 'latin1'),
]

export const openOf = (flags: number): Buffer => encode(OpenIn, { flags, openFlags: 0 })

export const createOf = (name: string, flags: number, mode: number): Buffer[] => [
  encode(CreateIn, { flags, mode, umask: 0o022, openFlags: 0 }),
  cString(name),
]

export const setattrOf = (valid: number, fields: Partial<FieldsOf<typeof SetattrIn>> = {}): Buffer => {
  const times = { atime: 0, mtime: 0, ctime: 0, atimensec: 0, mtimensec: 0, ctimensec: 0 }
  const rest = { padding: 0, fh: 0, size: 0, lockOwner: 0n, mode: 0, uid: 0, gid: 0, unused4: 0, unused5: 0 }
  return encode(SetattrIn, { valid, ...times, ...rest, ...fields })
}

export const rename2Of = (newdir: number, flags: number, from: string, to: string): Buffer[] => [
  encode(Rename2In, { newdir, flags, padding: 0 }),
  cString(from),
  cString(to),
]

export const fallocateOf = (offset: number, length: number, mode: number): Buffer =>
  encode(FallocateIn, { fh: 0, offset, length, mode, padding: 0 })

export const copyOf = (offIn: number, nodeidOut: number, offOut: number, len: number, flags = 0): Buffer =>
  encode(CopyFileRangeIn, { fhIn: 0, offIn, nodeidOut, fhOut: 0, offOut, len, flags })

export const setxattrOf = (name: string, value: string, flags: number, size = value.length): Buffer[] => [
  encode(SetxattrIn, { size, flags }),
  cString(name),
  Buffer.from(value, 'latin1'),
]

/** Of FSYNC and FSYNCDIR: jbfs reads nothing of it, as the whole inode is synced. */
const FsyncIn = struct({ fh: 'u64', fsyncFlags: 'u32', padding: 'u32' })
const fsync = encode(FsyncIn, { fh: 0, fsyncFlags: 0, padding: 0 })

/** One good request of each opcode that changes something, or that only a filesystem with changes answers. */
export const oneOfEach: readonly (readonly [OpcodeName, ...Buffer[]])[] = [
  ['WRITE', ...writeOf(0, 'data')],
  ['SETATTR', setattrOf(0)],
  ['CREATE', ...createOf('new', 0o101, 0o100644)],
  ['TMPFILE', ...createOf('/', 0o101, 0o100644)],
  ['MKNOD', encode(MknodIn, { mode: 0o010644, rdev: 0, umask: 0o022, padding: 0 }), cString('new')],
  ['MKDIR', encode(MkdirIn, { mode: 0o755, umask: 0o022 }), cString('new')],
  ['SYMLINK', cString('new'), cString('target')],
  ['LINK', encode(LinkIn, { oldnodeid: 5 }), cString('new')],
  ['UNLINK', cString('old')],
  ['RMDIR', cString('old')],
  ['RENAME', encode(RenameIn, { newdir: 7 }), cString('old'), cString('new')],
  ['RENAME2', ...rename2Of(7, 1, 'old', 'new')],
  ['FALLOCATE', fallocateOf(0, 1, 0)],
  ['SETXATTR', ...setxattrOf('user.a', 'value', 0)],
  ['REMOVEXATTR', cString('user.a')],
  ['COPY_FILE_RANGE', copyOf(0, 6, 0, 4)],
  ['COPY_FILE_RANGE_64', copyOf(0, 6, 0, 4)],
  ['FLUSH', encode(FlushIn, { fh: 0, unused: 0, padding: 0, lockOwner: 0n })],
  ['FSYNC', fsync],
  ['FSYNCDIR', fsync],
]

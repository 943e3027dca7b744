import { type FieldsOf, struct } from './struct.ts'

/**
 * The FUSE kernel protocol 7.45 as jbfs speaks it: names, numbers and struct layouts of `include/uapi/linux/fuse.h`, field
 * names in camel case. `native-notes/fuse.md` says what is used and why.
 */
export const protocolMajor = 7
export const protocolMinor = 45

export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48,
  REMOVEMAPPING: 49,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const
export type OpcodeName = keyof typeof Opcode

/** Bits of `InitOut.flags`. */
export const InitFlag = {
  ASYNC_READ: 1 << 0,
  BIG_WRITES: 1 << 5,
  DONT_MASK: 1 << 6,
  DO_READDIRPLUS: 1 << 13,
  ASYNC_DIO: 1 << 15,
  NO_OPEN_SUPPORT: 1 << 17,
  PARALLEL_DIROPS: 1 << 18,
  POSIX_ACL: 1 << 20,
  ABORT_ERROR: 1 << 21,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  NO_OPENDIR_SUPPORT: 1 << 24,
  HANDLE_KILLPRIV_V2: 1 << 28,
} as const

/** Codes in the `error` field of a message that the daemon sends unasked (enum fuse_notify_code). */
export const NotifyCode = { INVAL_INODE: 2, INVAL_ENTRY: 3 } as const

/** Bits of `OpenOut.openFlags`. */
export const OpenFlag = { KEEP_CACHE: 2, CACHE_DIR: 8 } as const

/** `whence` of LSEEK. */
export const Seek = { DATA: 3, HOLE: 4 } as const

/** Bit of `WriteIn.writeFlags` (FUSE_WRITE_KILL_SUIDGID). */
export const WriteFlag = { KILL_SUIDGID: 4 } as const

/** Bits of `SetattrIn.valid` (FATTR_…): which fields are to be set. */
export const SetattrValid = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  KILL_SUIDGID: 1 << 11,
} as const

/** `Rename2In.flags` (RENAME_… of `linux/fs.h`). */
export const RenameFlag = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const

/** Bits of `FallocateIn.mode` (FALLOC_FL_… of `linux/falloc.h`). */
export const FallocateFlag = { KEEP_SIZE: 1, PUNCH_HOLE: 2, ZERO_RANGE: 16 } as const

/** `SetxattrIn.flags` (XATTR_… of `linux/xattr.h`). */
export const SetxattrFlag = { CREATE: 1, REPLACE: 2 } as const

/** The first bytes of every message from the kernel; names and payload follow the opcode's own struct. */
export const InHeader = struct({
  len: 'u32',
  opcode: 'u32',
  unique: 'u64',
  nodeid: 'u64',
  uid: 'u32',
  gid: 'u32',
  pid: 'u32',
  totalExtlen: 'u16',
  padding: 'u16',
})
export type InHeader = FieldsOf<typeof InHeader>

export const OutHeader = struct({ len: 'u32', error: 'i32', unique: 'u64' })

export const InitIn = struct({ major: 'u32', minor: 'u32', maxReadahead: 'u32', flags: 'u32' })
export type InitIn = FieldsOf<typeof InitIn>

export const InitOut = struct({
  major: 'u32',
  minor: 'u32',
  maxReadahead: 'u32',
  flags: 'u32',
  maxBackground: 'u16',
  congestionThreshold: 'u16',
  maxWrite: 'u32',
  timeGran: 'u32',
  maxPages: 'u16',
  mapAlignment: 'u16',
  flags2: 'u32',
  maxStackDepth: 'u32',
  requestTimeout: 'u16',
  unused0: 'u16',
  unused1: 'u32',
  unused2: 'u64',
  unused3: 'u64',
})
export type InitOut = FieldsOf<typeof InitOut>

export const Attr = struct({
  ino: 'u64',
  size: 'u64',
  blocks: 'u64',
  atime: 'i64',
  mtime: 'i64',
  ctime: 'i64',
  atimensec: 'u32',
  mtimensec: 'u32',
  ctimensec: 'u32',
  mode: 'u32',
  nlink: 'u32',
  uid: 'u32',
  gid: 'u32',
  rdev: 'u32',
  blksize: 'u32',
  flags: 'u32',
})
/** What stat(2) shows: `blocks` of 512 bytes, `rdev` in the kernel's 32-bit coding, times in seconds + nanoseconds. */
export type Attr = FieldsOf<typeof Attr>

export const EntryOut = struct({
  nodeid: 'u64',
  generation: 'u64',
  entryValid: 'u64',
  attrValid: 'u64',
  entryValidNsec: 'u32',
  attrValidNsec: 'u32',
  attr: Attr,
})

export const AttrOut = struct({ attrValid: 'u64', attrValidNsec: 'u32', dummy: 'u32', attr: Attr })

export const ForgetIn = struct({ nlookup: 'u64' })
export const BatchForgetIn = struct({ count: 'u32', dummy: 'u32' })
export const ForgetOne = struct({ nodeid: 'u64', nlookup: 'u64' })

export const ReadIn = struct({
  fh: 'u64',
  offset: 'u64',
  size: 'u32',
  readFlags: 'u32',
  lockOwner: 'opaque64',
  flags: 'u32',
  padding: 'u32',
})

export const OpenIn = struct({ flags: 'u32', openFlags: 'u32' })

/** Of CREATE and TMPFILE. */
export const CreateIn = struct({ flags: 'u32', mode: 'u32', umask: 'u32', openFlags: 'u32' })

export const OpenOut = struct({ fh: 'u64', openFlags: 'u32', backingId: 'i32' })

export const ReleaseIn = struct({
  fh: 'u64',
  flags: 'u32',
  releaseFlags: 'u32',
  lockOwner: 'opaque64',
})

export const FlushIn = struct({ fh: 'u64', unused: 'u32', padding: 'u32', lockOwner: 'opaque64' })

/** The data follow. */
export const WriteIn = struct({
  fh: 'u64',
  offset: 'u64',
  size: 'u32',
  writeFlags: 'u32',
  lockOwner: 'opaque64',
  flags: 'u32',
  padding: 'u32',
})
/** Also of COPY_FILE_RANGE, which cannot tell of more than 32 bits. */
export const WriteOut = struct({ size: 'u32', padding: 'u32' })

export const SetattrIn = struct({
  valid: 'u32',
  padding: 'u32',
  fh: 'u64',
  size: 'u64',
  lockOwner: 'opaque64',
  atime: 'i64',
  mtime: 'i64',
  ctime: 'i64',
  atimensec: 'u32',
  mtimensec: 'u32',
  ctimensec: 'u32',
  mode: 'u32',
  unused4: 'u32',
  uid: 'u32',
  gid: 'u32',
  unused5: 'u32',
})

export const MknodIn = struct({ mode: 'u32', rdev: 'u32', umask: 'u32', padding: 'u32' })
export const MkdirIn = struct({ mode: 'u32', umask: 'u32' })
export const RenameIn = struct({ newdir: 'u64' })
export const Rename2In = struct({ newdir: 'u64', flags: 'u32', padding: 'u32' })
export const LinkIn = struct({ oldnodeid: 'u64' })

export const FallocateIn = struct({
  fh: 'u64',
  offset: 'u64',
  length: 'u64',
  mode: 'u32',
  padding: 'u32',
})

/** Of COPY_FILE_RANGE and COPY_FILE_RANGE_64. */
export const CopyFileRangeIn = struct({
  fhIn: 'u64',
  offIn: 'u64',
  nodeidOut: 'u64',
  fhOut: 'u64',
  offOut: 'u64',
  len: 'u64',
  flags: 'u64',
})
export const CopyFileRangeOut = struct({ bytesCopied: 'u64' })

/** The short form (FUSE_COMPAT_SETXATTR_IN_SIZE), which the kernel sends unless INIT asks for SETXATTR_EXT. */
export const SetxattrIn = struct({ size: 'u32', flags: 'u32' })

export const GetxattrIn = struct({ size: 'u32', padding: 'u32' })
export const GetxattrOut = struct({ size: 'u32', padding: 'u32' })

export const LseekIn = struct({ fh: 'u64', offset: 'u64', whence: 'u32', padding: 'u32' })
export const LseekOut = struct({ offset: 'u64' })

export const InterruptIn = struct({ unique: 'u64' })

export const Kstatfs = struct({
  blocks: 'u64',
  bfree: 'u64',
  bavail: 'u64',
  files: 'u64',
  ffree: 'u64',
  bsize: 'u32',
  namelen: 'u32',
  frsize: 'u32',
  padding: 'u32',
  spare0: 'u64',
  spare1: 'u64',
  spare2: 'u64',
})
export type Kstatfs = FieldsOf<typeof Kstatfs>

export const Dirent = struct({ ino: 'u64', off: 'u64', namelen: 'u32', type: 'u32' })

export const NotifyInvalInodeOut = struct({ ino: 'u64', off: 'i64', len: 'i64' })
export const NotifyInvalEntryOut = struct({ parent: 'u64', namelen: 'u32', flags: 'u32' })

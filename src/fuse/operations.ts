import type { Attr, Kstatfs } from './protocol.ts'

/**
 * What a filesystem offers to the kernel, one method per operation of the protocol. The session calls them as requests
 * arrive, concurrently and in any order; each may answer at once or by a promise, and is answered for exactly once whatever it does.
 *
 * Errors: throw `FuseError` for a particular error number; anything else goes through the session's `toErrno`. An expected
 * absence is a value (`undefined`), because throwing costs microseconds and a missing name is the commonest answer of all.
 *
 * Nodeids are the filesystem's own (1 is the root) and equal `Attr.ino`. A nodeid that was handed out in an `Entry` may be used
 * until `forget` has taken back as many lookups as were handed out. Names are the kernel's bytes, one UTF-16 code unit each
 * (latin1); there is never a `/` or NUL in them, and they have 1 to 255 bytes.
 */
export interface FuseOperations {
  /** undefined: there is no such name. */
  lookup(parent: number, name: string, context: RequestContext): MaybePromise<Entry | undefined>
  forget(nodeid: number, lookups: number): void
  getattr(nodeid: number, context: RequestContext): MaybePromise<Attributes>
  /** The target's bytes (latin1). */
  readlink(nodeid: number, context: RequestContext): MaybePromise<string>
  /**
   * The bytes of the file from `offset`, at most `size`; fewer only at the end of the file (the kernel takes a short answer as
   * the end). The pieces are sent before anything else happens and are not kept.
   */
  read(
    nodeid: number,
    offset: number,
    size: number,
    context: RequestContext,
  ): MaybePromise<readonly Uint8Array[]>
  /** Offers the entries behind `cookie` (0: from the start) to `sink` until there are no more or it is full. */
  readdir(nodeid: number, cookie: number, sink: DirectorySink, context: RequestContext): MaybePromise<void>
  /** Answered from memory, never from the network: `df` and umount(8) wait for it. */
  statfs(): Kstatfs
  /** undefined: no such attribute. */
  getxattr(nodeid: number, name: string, context: RequestContext): MaybePromise<Uint8Array | undefined>
  listxattr(nodeid: number, context: RequestContext): MaybePromise<readonly string[]>
  /** The next data or hole at or behind `offset`; undefined: `offset` is at or behind the end (ENXIO). */
  lseek(nodeid: number, offset: number, want: 'data' | 'hole', context: RequestContext): number | undefined
  /** undefined: nothing can be changed, and each try is answered with EROFS. */
  readonly changes?: ChangeOperations | undefined
}

/**
 * What a filesystem that can be changed offers besides. The kernel has checked permissions already (`default_permissions`), and that names are not
 * taken, or are there, as far as it knows: the filesystem decides all the same, and refuses with `FuseError`. Every `Entry` that is returned counts as a
 * lookup of its node. Modes are without a file type where none is said to be with it. Offsets and their sums with a
 * length are safe integers. ENOSYS is for what is never to be asked again: of `flush`, `fsync` and `fsyncFolder` the kernel takes it for success.
 */
export interface ChangeOperations {
  /** Once for each open(2); `close` comes as often. Opens of folders are not told of. */
  open(nodeid: number, mode: OpenMode, context: ChangeContext): MaybePromise<void>
  create(
    parent: number,
    name: string,
    asked: AskedMode,
    open: OpenMode,
    context: ChangeContext,
  ): MaybePromise<Entry>
  /** A file without a name (O_TMPFILE), open. */
  createUnnamed(parent: number, asked: AskedMode, open: OpenMode, context: ChangeContext): MaybePromise<Entry>
  /** Comes at each close(2) of each descriptor, perhaps several times: what it throws is what close(2) says. */
  flush(nodeid: number, mode: OpenMode, context: ChangeContext): MaybePromise<void>
  /** The last descriptor of an open(2) is closed; nobody waits for it. An unmount does not close what is still open. */
  close(nodeid: number, mode: OpenMode): void
  /**
   * `bytes` lie in the request's buffer and are gone when the call returns, also when that is by a promise: all of them are taken (copied) before, or
   * it throws. `clearSetuid`: as in `AttributeChanges`.
   */
  write(
    nodeid: number,
    offset: number,
    bytes: Buffer,
    clearSetuid: boolean,
    context: ChangeContext,
  ): MaybePromise<void>
  /** Resolves when what was written before cannot be lost any more. */
  fsync(nodeid: number, context: ChangeContext): MaybePromise<void>
  /** The same of a folder. */
  fsyncFolder(nodeid: number, context: ChangeContext): MaybePromise<void>
  setAttributes(nodeid: number, changes: AttributeChanges, context: ChangeContext): MaybePromise<Attributes>
  /** The mode with its file type: regular files, devices, FIFOs, sockets. */
  makeNode(
    parent: number,
    name: string,
    asked: AskedMode,
    rdev: number,
    context: ChangeContext,
  ): MaybePromise<Entry>
  makeFolder(parent: number, name: string, asked: AskedMode, context: ChangeContext): MaybePromise<Entry>
  /** `target`: its bytes (latin1). */
  makeSymlink(parent: number, name: string, target: string, context: ChangeContext): MaybePromise<Entry>
  /** Another name for a node; its Entry. */
  link(nodeid: number, parent: number, name: string, context: ChangeContext): MaybePromise<Entry>
  unlink(parent: number, name: string, context: ChangeContext): MaybePromise<void>
  removeFolder(parent: number, name: string, context: ChangeContext): MaybePromise<void>
  rename(from: Place, to: Place, how: RenameKind, context: ChangeContext): MaybePromise<void>
  /** fallocate(2): `allocate` grows the file to `offset + length` unless `keepSize`; `punch` and `zero` leave zeros there. */
  allocate(nodeid: number, range: ChangedRange, how: AllocateKind, context: ChangeContext): MaybePromise<void>
  /** copy_file_range(2) between two files of the mount; returns how many bytes were copied. */
  copyRange(from: CopyPlace, to: CopyPlace, length: number, context: ChangeContext): MaybePromise<number>
  /** `value` is the callee's to keep. EEXIST (`create`) and ENODATA (`replace`) are its to say. */
  setxattr(
    nodeid: number,
    name: string,
    value: Buffer,
    how: 'any' | 'create' | 'replace',
    context: ChangeContext,
  ): MaybePromise<void>
  /** ENODATA when there is no such attribute. */
  removexattr(nodeid: number, name: string, context: ChangeContext): MaybePromise<void>
}

/** For what is made. The filesystem takes the umask off the mode, unless the folder has a default ACL, which stands in its place (umask(2)). */
export interface AskedMode {
  readonly mode: number
  readonly umask: number
}

export interface OpenMode {
  readonly writes: boolean
}

/** Who asks, for new inodes' owners. */
export interface ChangeContext extends RequestContext {
  readonly uid: number
  readonly gid: number
}

export interface Place {
  readonly parent: number
  readonly name: string
}

export type RenameKind = 'replace' | 'keep' | 'exchange'
export type AllocateKind = 'allocate' | 'allocateKeepingSize' | 'punch' | 'zero' | 'zeroKeepingSize'

export interface ChangedRange {
  readonly offset: number
  readonly length: number
}

export interface CopyPlace {
  readonly nodeid: number
  readonly offset: number
}

/** Those that are undefined stay. Seconds and nanoseconds; `now` is the filesystem's own clock. */
export interface AttributeChanges {
  /** Permission bits, without the file type. */
  readonly mode?: number | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  readonly size?: number | undefined
  readonly mtime?: ChangedTime | 'now' | undefined
  readonly atime?: ChangedTime | 'now' | undefined
  /** Clear setuid, and setgid of what the group may execute, as Linux does when who is not root changes a file (FUSE_HANDLE_KILLPRIV_V2). */
  readonly clearSetuid: boolean
}

export interface ChangedTime {
  readonly seconds: number
  readonly nanoseconds: number
}

export type MaybePromise<T> = T | Promise<T>

/** Whether whoever asks still waits. */
export interface RequestContext {
  /** Aborts when the caller was interrupted (Ctrl-C) or the mount goes away. Made on first use. */
  readonly signal: AbortSignal
}

export interface Attributes {
  readonly attr: Attr
  /** Seconds for which the kernel need not ask again. */
  readonly attrValid: number
}

export interface Entry extends Attributes {
  /** Seconds for which the kernel may take the name for this node without asking. */
  readonly entryValid: number
}

/** A reply to READDIR or READDIRPLUS being filled. */
export interface DirectorySink {
  /**
   * Adds one record; `full` when it did not fit and must be offered again by the next call. `cookie` is where the next call goes
   * on *behind* this record: not 0 and stable while the folder is being read, also across changes. An added `entry` counts as a
   * lookup of its node when `add` returned `counted`; `.` and `..` (given as `here`) never count. `forget` takes it back if `readdir`
   * fails after all, as it does a lookup whose reply the kernel does not get.
   */
  add(name: string, cookie: number, entry: Entry): 'counted' | 'added' | 'full'
  addHere(name: '.' | '..', cookie: number, nodeid: number): boolean
}

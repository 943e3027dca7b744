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

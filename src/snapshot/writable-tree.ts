import type { Abortable } from '../base/abort.ts'
import type { ByteRange } from '../store/object-store.ts'
import type { CatalogEntry } from './catalog.ts'
import type { Extent, FileName, Ino, OwnInode, OwnObjectRef, OwnTree, Timestamp } from './tree.ts'

/**
 * A tree that can be changed. Every method does all of what it says, or throws and does nothing; what it has done is on the local disk, though perhaps
 * only in the system's memory. Times are the tree's own clock. Throws `ChangeError` for what Linux would not do either.
 */
export interface WritableTree extends OwnTree {
  /** A new inode; without a `name` it is nowhere, as O_TMPFILE makes it. */
  make(parent: Ino, name: FileName | undefined, inode: MadeInode): OwnInode
  /** Gives an inode that is no folder another name. */
  link(ino: Ino, parent: Ino, name: FileName): OwnInode
  /** Returns what had the name. */
  unlink(parent: Ino, name: FileName): OwnInode
  removeFolder(parent: Ino, name: FileName): void
  /** Returns what had the new name and has it no more. */
  rename(from: TreePlace, to: TreePlace, how: 'replace' | 'keep' | 'exchange'): OwnInode | undefined
  setAttributes(ino: Ino, changes: InodeChanges): OwnInode
  setXattr(ino: Ino, name: string, value: Buffer, how: 'any' | 'create' | 'replace'): void
  removeXattr(ino: Ino, name: string): void
}

export interface TreePlace {
  readonly parent: Ino
  readonly name: FileName
}

export interface MadeInode {
  /** With the file type. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly rdev?: number | undefined
  /** Of a symlink (latin1). */
  readonly target?: string | undefined
}

/** What is undefined stays; ctime becomes now with all of them. */
export interface InodeChanges {
  /** Permission bits. */
  readonly mode?: number | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  readonly mtime?: Timestamp | 'now' | undefined
  readonly atime?: Timestamp | 'now' | undefined
}

/**
 * A snapshot that is being changed: its tree, and the contents of files that are not in the store yet. Whoever answers the kernel calls it, concurrently; what
 * rejects, or throws, is a `ChangeError`, a `StoreError`, a `CacheError`, or the abort reason.
 */
export interface WritableSnapshot {
  readonly tree: WritableTree
  /** Another snapshot's inode under a name of this one: same attributes, same content. */
  adopt(parent: Ino, name: FileName, from: ForeignInode): MaybePromise<OwnInode>
  /** Gives an empty file the content of another one of its repository; false when it is not empty. */
  share(ino: Ino, content: SharedContent): boolean
  /** The inode has lost its last name. */
  unlinked(ino: Ino): void
  /** The kernel knows the inode no more, and nobody can come to it but by a name. Never throws. */
  forgotten(ino: Ino): void
  /** Somebody has the file open, until `closed` is called as often. */
  opened(ino: Ino, writes: boolean): void
  closed(ino: Ino, writes: boolean): void
  /** undefined: the content is that of the inode's object, and of its extents. */
  stagedContent(ino: Ino): StagedContent | undefined
  /** Takes all of `bytes` before it returns; they may be longer in getting to the staging folder. */
  write(
    ino: Ino,
    offset: number,
    bytes: Buffer,
    clearSetuid: boolean,
    options?: Abortable,
  ): MaybePromise<void>
  resize(ino: Ino, size: number, clearSetuid: boolean, options?: Abortable): MaybePromise<void>
  /** fallocate(2). */
  allocate(ino: Ino, range: ByteRange, how: AllocateKind, options?: Abortable): MaybePromise<void>
  /** What the last upload of the file failed with, if it has not succeeded since. */
  failureOf(ino: Ino): Error | undefined
  /** Resolves when the content is in the store, and all else of the file on the local disk. */
  fsync(ino: Ino, options: Abortable): Promise<void>
  /** Resolves when the content is that of an object. */
  store(ino: Ino, options: Abortable): Promise<void>
  /** Resolves when readers can see what was done before. */
  publish(options: Abortable): Promise<void>
  stateOf(ino: Ino): 'staged' | 'uploading' | 'stored' | 'published'
}

export type AllocateKind = 'allocate' | 'allocateKeepingSize' | 'punch' | 'zero' | 'zeroKeepingSize'
export type MaybePromise<T> = T | Promise<T>

export interface StagedContent {
  /** Bytes before it are on their way to the store, and not here: who wants them calls `store` of the snapshot first. */
  readonly begins: number
  /** Bytes; fewer only at the end. */
  read(offset: number, length: number): Uint8Array
  /** Sectors of 512 bytes that it takes. */
  readonly blocks: number
  /** The next data or hole at or behind `offset`; undefined at or behind the end. */
  seek(offset: number, want: 'data' | 'hole'): number | undefined
}

export interface SharedContent {
  /** st_size. */
  readonly size: number
  readonly object: OwnObjectRef
  /** undefined: there are no holes. */
  readonly extents: readonly Extent[] | undefined
}

export interface ForeignInode {
  readonly inode: OwnInode
  readonly extents: Iterable<Extent>
  readonly xattrs: Iterable<readonly [string, Buffer]>
  /** Where the content is not in the store yet. */
  readonly staged: StagedContent | undefined
}

/** The snapshots of a mount that are being changed. */
export interface WritableSnapshots {
  /** undefined: it is as it is published. */
  get(repository: string, number: number): WritableSnapshot | undefined
  /** Numbers of those that are being changed. */
  numbers(repository: string): readonly number[]
  /** Begins one that is not there, with an empty top folder. */
  begin(repository: string, number: number, top: MadeInode): WritableSnapshot
  /** Makes a published one changeable. */
  change(repository: string, entry: CatalogEntry, options: Abortable): Promise<WritableSnapshot>
  /**
   * Makes a snapshot that of another number, which is free, at once and for all readers; where the store does not tell whether they see it, they do with the next publish.
   * Rejects, and it keeps its number, where they do not.
   */
  renumber(repository: string, entry: CatalogEntry, number: number, options: Abortable): Promise<void>
  /** Removes one whose tree is empty, at once and for all readers. */
  remove(repository: string, entry: CatalogEntry): Promise<void>
}

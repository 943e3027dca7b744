import type { Brand } from '../base/brand.ts'
import type { ObjectKey } from '../store/object-store.ts'

/**
 * The namespace of one snapshot, as the filesystem sees it. Everything is synchronous (`node:sqlite` is) and answered
 * from the file index alone, never from the store. A `Tree` throws `SnapshotError` when the index turns out damaged.
 */
export interface Tree<Stored extends ObjectRef = ObjectRef> extends Disposable {
  /** Ino of the snapshot's top folder; always 1. */
  readonly root: Ino
  inode(ino: Ino): Inode<Stored> | undefined
  lookup(parent: Ino, name: FileName): Inode<Stored> | undefined
  /** The entries of a folder in reading order, from the `position`-th (0 is the first) on. */
  entries(parent: Ino, position: number): Iterable<Dentry<Stored>>
  parentOf(folder: Ino): Ino
  /** Where the bytes of a file with holes lie in its object, in order, from the extent on that holds `offset` or is the next behind it. */
  extents(ino: Ino, offset: number): Iterable<Extent>
  xattr(ino: Ino, name: string): Buffer | undefined
  xattrNames(ino: Ino): readonly string[]
  /** The next regular files with content behind `ino` in reading order: the lowest inode numbers above it. */
  filesAfter(ino: Ino, count: number): readonly Inode<Stored>[]
  /** All objects that files of this snapshot refer to, by id. */
  objects(): Iterable<Stored>
}

/** Inode number inside one snapshot: 1 … 2³²−1, given in reading order (`native-notes/format.md`). */
export type Ino = Brand<number, 'Ino'>

/** The bytes of a name, one UTF-16 code unit a byte (latin1): any byte but `/` and NUL, 1 to 255 of them. */
export type FileName = Brand<string, 'FileName'>

/** Seconds since the epoch (may be negative) and nanoseconds, 0 … 999,999,999, as in struct timespec. */
export interface Timestamp {
  readonly seconds: number
  readonly nanoseconds: number
}

export interface Inode<Stored extends ObjectRef = ObjectRef> {
  readonly ino: Ino
  /** File type and permission bits, as st_mode. */
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  /** Device number in the kernel's 32-bit coding; 0 for all but device nodes. */
  readonly rdev: number
  /** Bytes, as st_size: of a symlink its target's length. */
  readonly size: number
  readonly mtime: Timestamp
  readonly ctime: Timestamp
  /** What utimensat(2) has set while the snapshot is being changed: an index has none. */
  readonly atime?: Timestamp | undefined
  /** The content of a regular file; undefined when it has no bytes at all (empty, or one hole). */
  readonly object: Stored | undefined
  /** The bytes of a symlink's target (latin1, as in `FileName`). */
  readonly target: string | undefined
  /** Whether the file has holes, so that `extents` says where its bytes are. */
  readonly sparse: boolean
}

export function isFolderMode(mode: number): boolean {
  return (mode & 0o170000) === 0o040000
}

/** An immutable object of the repository: `files/<id>`, or, of one that something else wrote, anything below it. */
export interface ObjectRef {
  /** 24 hex digits; of a foreign object the last part of its key. */
  readonly id: string
  readonly key: ObjectKey
  /** Bytes, unpacked; less than the file's size when it has holes. */
  readonly size: number
  /** 32 bytes, of the object, unpacked. Undefined: not known, which only that of a foreign object may be. */
  readonly sha256: Buffer | undefined
  /** How a foreign object is stored; undefined: as it is. */
  readonly packing?: 'gzip' | undefined
}

/** An object that jbfs wrote. */
export interface OwnObjectRef extends ObjectRef {
  readonly sha256: Buffer
}

/** The inodes and the tree of a snapshot that jbfs wrote. */
export type OwnInode = Inode<OwnObjectRef>
export type OwnTree = Tree<OwnObjectRef>

/** Whether what jbfs writes may refer to the same object. */
export function isOwn(inode: Inode): inode is OwnInode {
  const { object } = inode
  return object === undefined || (object.sha256 !== undefined && object.packing === undefined)
}

export interface Dentry<Stored extends ObjectRef = ObjectRef> {
  readonly name: FileName
  /** 0-based place in the folder's reading order. */
  readonly position: number
  readonly inode: Inode<Stored>
}

/** `length` bytes at `offset` of the file are those at `objectOffset` of its object; between extents there are holes. */
export interface Extent {
  readonly offset: number
  readonly length: number
  readonly objectOffset: number
}

import type { Attr } from '../fuse/protocol.ts'
import type { Inode, Timestamp } from '../snapshot/tree.ts'

/** st_blocks counts in these, whatever the block size is (stat(2)). */
export const sectorSize = 512

/** st_blksize: what `cp` and `tar` read at a time. Larger reads mean fewer requests. */
const preferredRead = 131_072

export const folderSize = 4096

export const FileType = {
  folder: 0o040000,
  file: 0o100000,
  symlink: 0o120000,
  mask: 0o170000,
} as const

export function isFolder({ mode }: { readonly mode: number }): boolean {
  return (mode & FileType.mask) === FileType.folder
}

/**
 * What stat(2) shows of a snapshot's inode. `blocks`: of a content that is not in the store, sectors.
 */
export function attributesOf(inode: Inode, nodeid: number, blocks = blocksOf(inode)): Attr {
  return makeAttr({ ...inode, ino: nodeid, blocks })
}

export interface AttrFields {
  readonly ino: number
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  readonly size: number
  readonly blocks: number
  readonly mtime: Timestamp
  readonly ctime: Timestamp
  /** undefined: mtime stands in for it, as backups have none. */
  readonly atime?: Timestamp | undefined
}

export function makeAttr({
  ino,
  mode,
  nlink,
  uid,
  gid,
  rdev,
  size,
  blocks,
  mtime,
  ctime,
  atime = mtime,
}: AttrFields): Attr {
  return {
    ino,
    size,
    blocks,
    atime: atime.seconds,
    mtime: mtime.seconds,
    ctime: ctime.seconds,
    atimensec: atime.nanoseconds,
    mtimensec: mtime.nanoseconds,
    ctimensec: ctime.nanoseconds,
    mode,
    nlink,
    uid,
    gid,
    rdev,
    blksize: preferredRead,
    flags: 0,
  }
}

/** The sectors that hold data: a file with holes takes what its object takes, which has none. */
function blocksOf(inode: Inode): number {
  if (isFolder(inode)) return folderSize / sectorSize
  if ((inode.mode & FileType.mask) !== FileType.file) return 0
  return Math.ceil(Math.min(inode.size, inode.object?.size ?? 0) / sectorSize)
}

import type { Attr } from '../fuse/protocol.ts'
import type { Timestamp } from '../snapshot/tree.ts'
import { FileType, folderSize, makeAttr, sectorSize } from './attributes.ts'

/** Seconds for which the kernel need not ask again about what is no part of a snapshot. Asking costs a round trip to here, and mostly none to the store. */
export const briefly = 1

/** Who mounts: owner of all that is no part of a snapshot. */
export interface Mounter {
  readonly uid: number
  readonly gid: number
}

/** 1 link tells tools that the links do not count the sub-folders; before it is listed nobody knows them. `changed` in epoch milliseconds. */
export function folderAttr(
  nodeid: number,
  permissions: number,
  changed: number,
  { uid, gid }: Mounter,
): Attr {
  const time = timestampOfMillis(changed)
  return makeAttr({
    ino: nodeid,
    mode: FileType.folder | permissions,
    nlink: 1,
    uid,
    gid,
    rdev: 0,
    size: folderSize,
    blocks: folderSize / sectorSize,
    mtime: time,
    ctime: time,
  })
}

/** Nobody knows who may read it at the destination, so only who mounts may. */
export function storedFileAttr(nodeid: number, size: number, time: Timestamp, { uid, gid }: Mounter): Attr {
  return makeAttr({
    ino: nodeid,
    mode: FileType.file | 0o400,
    nlink: 1,
    uid,
    gid,
    rdev: 0,
    size,
    blocks: Math.ceil(size / sectorSize),
    mtime: time,
    ctime: time,
  })
}

export function linkAttr(nodeid: number, target: string, time: Timestamp, { uid, gid }: Mounter): Attr {
  return makeAttr({
    ino: nodeid,
    mode: FileType.symlink | 0o777,
    nlink: 1,
    uid,
    gid,
    rdev: 0,
    size: target.length,
    blocks: 0,
    mtime: time,
    ctime: time,
  })
}

export function timestampOfMillis(millis: number): Timestamp {
  const seconds = Math.floor(millis / 1000)
  return { seconds, nanoseconds: Math.floor(millis - seconds * 1000) * 1_000_000 }
}

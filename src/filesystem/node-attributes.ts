import type { Attr } from '../fuse/protocol.ts'
import { timestampOfMillis } from '../snapshot/timestamp.ts'
import type { Timestamp } from '../snapshot/tree.ts'
import { type AttrFields, FileType, folderSize, makeAttr, sectorSize } from './attributes.ts'

/** Seconds for which the kernel need not ask again about what is no part of a snapshot. Asking costs a round trip to here, and mostly none to the store. */
export const briefly = 1

/** Who mounts: owner of all that is no part of a snapshot. */
export interface Mounter {
  readonly uid: number
  readonly gid: number
}

/** `changed` in epoch milliseconds. */
export function folderAttr(nodeid: number, permissions: number, changed: number, mounter: Mounter): Attr {
  const fields = { mode: FileType.folder | permissions, size: folderSize, blocks: folderSize / sectorSize }
  return attrOf(nodeid, fields, timestampOfMillis(changed), mounter)
}

/** Nobody knows who may read it at the destination, so only who mounts may. */
export function storedFileAttr(nodeid: number, size: number, time: Timestamp, mounter: Mounter): Attr {
  const fields = { mode: FileType.file | 0o400, size, blocks: Math.ceil(size / sectorSize) }
  return attrOf(nodeid, fields, time, mounter)
}

export function linkAttr(nodeid: number, target: string, time: Timestamp, mounter: Mounter): Attr {
  return attrOf(nodeid, { mode: FileType.symlink | 0o777, size: target.length, blocks: 0 }, time, mounter)
}

/** Of a folder, 1 link tells tools that the links do not count the sub-folders; before it is listed nobody knows them. */
function attrOf(
  nodeid: number,
  fields: Pick<AttrFields, 'mode' | 'size' | 'blocks'>,
  time: Timestamp,
  mounter: Mounter,
): Attr {
  return makeAttr({ ...fields, ...mounter, ino: nodeid, nlink: 1, rdev: 0, mtime: time, ctime: time })
}

import type { ChangeContext, CopyPlace, FuseOperations } from '../fuse/operations.ts'
import { isOwn } from '../snapshot/tree.ts'
import type { WritableSnapshot } from '../snapshot/writable-tree.ts'
import type { ChangeableSnapshots } from './changeable-snapshots.ts'
import { inoOf, slotOf } from './inode-number.ts'

/** Bytes of one copy_file_range(2), and what may be copied while somebody waits: who wants more asks again. */
export const largestCopy = 16 << 20
const copyPiece = 1 << 20

export interface CopyRangeOptions {
  readonly changeable: ChangeableSnapshots
  readonly reading: Pick<FuseOperations, 'read'>
}

/** copy_file_range(2) between two files of the mount; returns how many bytes were copied. */
export async function copyRange(
  from: CopyPlace,
  to: CopyPlace,
  length: number,
  context: ChangeContext,
  { changeable, reading }: CopyRangeOptions,
): Promise<number> {
  const working = await changeable.writable(to.nodeid, context)
  const shared = await share(from, to, length, working, context, changeable)
  if (shared !== undefined) return shared
  const wanted = Math.min(length, largestCopy)
  for (let done = 0; done < wanted; ) {
    const size = Math.min(copyPiece, wanted - done)
    const bytes = Buffer.concat(await reading.read(from.nodeid, from.offset + done, size, context))
    if (bytes.length === 0) return done
    await working.write(inoOf(to.nodeid), to.offset + done, bytes, false, context)
    done += bytes.length
  }
  return wanted
}

/** Shares the object when all of a file is copied into an empty one. */
async function share(
  from: CopyPlace,
  to: CopyPlace,
  length: number,
  working: WritableSnapshot,
  context: ChangeContext,
  changeable: ChangeableSnapshots,
): Promise<number | undefined> {
  if (from.offset !== 0 || to.offset !== 0 || slotOf(from.nodeid) === 0) return undefined
  const source = changeable.of(from.nodeid)
  if (source.working?.stagedContent(inoOf(from.nodeid)) !== undefined) return undefined
  const tree = await source.tree(context)
  const inode = tree.inode(inoOf(from.nodeid))
  // Objects are a repository's own.
  if (
    inode?.object === undefined ||
    !isOwn(inode) ||
    inode.size > length ||
    source.repository !== changeable.of(to.nodeid).repository
  )
    return undefined
  const extents = inode.sparse ? [...tree.extents(inode.ino, 0)] : undefined
  return working.share(inoOf(to.nodeid), { size: inode.size, object: inode.object, extents })
    ? inode.size
    : undefined
}

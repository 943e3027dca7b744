import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Change } from '../filesystem/destination-tree.ts'
import type { Mount } from '../fuse/transport.ts'
import { displayFileName } from '../snapshot/file-name.ts'
import type { FileName } from '../snapshot/tree.ts'

/** Tells the log and the kernel what is not as it was in a folder above the snapshots. Never rejects. */
export async function announceChange(
  { folder, names }: Change,
  mount: Pick<Mount, 'invalidateEntry' | 'invalidateInode'>,
  logger: Logger,
): Promise<void> {
  if (names.length > 0)
    logger.info(
      { names: names.map((name) => displayFileName(name as FileName)) },
      'the destination has changed',
    )
  try {
    for (const name of names) await mount.invalidateEntry(folder, name)
    await mount.invalidateInode(folder)
  } catch (error) {
    logger.warn({ error: messageOf(error) }, 'the kernel could not be told of a change')
  }
}

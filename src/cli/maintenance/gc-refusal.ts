import { shellWord } from '../../base/command-line.ts'
import type { UserFolders } from '../../base/user-folders.ts'
import { DestinationError } from '../../destination/errors.ts'
import { doPlacesOverlap } from '../../destination/place.ts'
import { unpublishedPlaces } from '../../staging/unpublished.ts'
import { type JbfsMount, jbfsMounts } from '../mounts.ts'
import { warn } from '../output.ts'

/** Why nothing may be collected at a place, as its description has it, now: what this server has stored and not published yet, no snapshot refers to. undefined when there is nothing of the kind. */
export async function unpublishedRefusal(
  place: string,
  folders: Pick<UserFolders, 'runtime' | 'state'>,
): Promise<DestinationError | undefined> {
  const unpublished = unpublishedPlaces(folders.state).find((other) => doPlacesOverlap(other, place))
  if (unpublished === undefined) return undefined
  const mounts = await jbfsMounts(folders)
  const steps = stepsFor(mounts.filter(({ source }) => source === unpublished))
  return new DestinationError(
    'in-use',
    `this server has written to ${unpublished} what may not be published yet: ${steps}, then jbfs gc again`,
  )
}

/** Commands that publish it, as far as it is known who has it. */
function stepsFor(mounts: readonly JbfsMount[]): string {
  const left = mounts.find(({ unpublished }) => unpublished !== undefined)?.unpublished
  if (left !== undefined) return `${left.mountAgain}, then jbfs umount ${shellWord(left.mountpoint)}`
  const writing = mounts.find(({ state, status }) => state === 'serving' && status?.writing !== undefined)
  if (writing !== undefined) return `jbfs umount ${shellWord(writing.mountpoint)}`
  return 'unmount it where it is mounted with --read-write, or mount it so and unmount it'
}

/** For who only looks. */
export function tellRefusal({ message }: DestinationError): void {
  warn(`without --dry-run this would be refused: ${message}`)
}

import { basename } from 'node:path'
import { parseSnapshotName } from '../../destination/layout.ts'
import { type Destination, formatDestination } from '../../destination/parse-destination.ts'
import { pathIn, placeAt } from '../../destination/split-repository.ts'
import { CliError } from '../errors.ts'

/** Throws `usage` for a single snapshot: objects belong to a repository as a whole. */
export function refuseSnapshot(place: Destination): void {
  const path = pathIn(place)
  const name = basename(path)
  if (parseSnapshotName(name) === undefined) return
  const repository = formatDestination(placeAt(place, path.slice(0, -name.length - 1)))
  throw new CliError('usage', `${name} is a snapshot: say its repository, ${repository}, or a destination`)
}

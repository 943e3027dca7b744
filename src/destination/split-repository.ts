import { basename, dirname } from 'node:path'
import { DestinationError } from './errors.ts'
import { parseSnapshotName } from './layout.ts'
import type { Destination } from './parse-destination.ts'

export interface RepositoryPlace {
  /** What lies around the repository. */
  readonly destination: Destination
  /** Prefix of its keys in that destination; '' when it is a whole bucket. */
  readonly repository: string
  /** N, when the path ends in `snap.N`. */
  readonly number: number | undefined
}

/** Takes `<destination>/<repository>[/snap.N]` apart. Throws `bad-destination`. */
export function splitRepository(place: Destination): RepositoryPlace {
  const path = place.kind === 'directory' ? place.path : `/${place.prefix}`
  const last = basename(path)
  const number = parseSnapshotName(last)
  if (number === undefined && /^snap\./.test(last))
    throw new DestinationError('bad-destination', `${last} is no snapshot: say snap.N with N from 1`)
  const repository = number === undefined ? path : dirname(path)
  const name = basename(repository)
  const around = dirname(repository)
  const destination: Destination =
    place.kind === 'directory' ? { ...place, path: around } : { ...place, prefix: around.slice(1) }
  return { destination, repository: name === '' ? '' : `${name}/`, number }
}

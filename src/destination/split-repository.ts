import { basename, dirname } from 'node:path'
import { DestinationError } from './errors.ts'
import { parseSnapshotName } from './layout.ts'
import type { Destination, NamedInSettings, S3Destination } from './parse-destination.ts'

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
  if (place.kind === 's3' && place.named) return splitNamed(place, place.named, repository, number)
  const name = basename(repository)
  const around = dirname(repository)
  const destination: Destination =
    place.kind === 'directory' ? { ...place, path: around } : { ...place, prefix: around.slice(1) }
  return { destination, repository: name === '' ? '' : `${name}/`, number }
}

/** What a name stands for stays whole: it is what has an owner. */
function splitNamed(
  place: S3Destination,
  { backupDirectory }: NamedInSettings,
  path: string,
  number: number | undefined,
): RepositoryPlace {
  const below = path.slice(`/${backupDirectory}`.length).replace(/^\//, '')
  return {
    destination: { ...place, prefix: backupDirectory },
    repository: below === '' ? '' : `${below}/`,
    number,
  }
}

import { basename, dirname } from 'node:path'
import { DestinationError } from './errors.ts'
import { isOwnFolder, parseSnapshotName } from './layout.ts'
import {
  type Destination,
  formatDestination,
  type NamedInSettings,
  type S3Destination,
} from './parse-destination.ts'

export interface RepositoryPlace {
  /** What lies around the repository. */
  readonly destination: Destination
  /** Prefix of its keys in that destination. */
  readonly repository: string
  /** N, when the path ends in `snap.N`. */
  readonly number: number | undefined
}

/** What people type for `snap.5`: `snap5`, `snapshot5`, `Snap-5`, …; and anything else that begins with `snap.`. */
const almostSnapshot = /^snap(?:\.|(?:shot)?[-_. ]*\d+$)/i

/**
 * Takes `<destination>/<repository>[/snap.N]` apart. Throws `bad-destination` for what by its text can be no repository: nobody would find there what
 * was written.
 */
export function splitRepository(place: Destination): RepositoryPlace {
  const path = pathIn(place)
  const number = parseSnapshotName(basename(path))
  const repository = number === undefined ? path : dirname(path)
  if (place.named) return splitNamed(place, place.named, repository, number)
  const name = basename(repository)
  const around = dirname(repository)
  const at = (path: string): string => formatDestination(placeAt(place, path))
  const refuse = (why: string): never => {
    throw new DestinationError('bad-destination', `${formatDestination(place)}: ${why}`)
  }
  if (name === '') refuse('this names no repository: say <destination>/<repository>')
  // The path may hold `snap.N` only at its end.
  const parts = repository.split('/')
  const snapshot = parts.findIndex((part) => parseSnapshotName(part) !== undefined)
  if (snapshot !== -1)
    refuse(`nothing can lie in a snapshot: say ${at(parts.slice(0, snapshot + 1).join('/'))}, or another N`)
  if (isOwnFolder(name))
    refuse(`${name} is a part of a repository: say ${at(around)}, or ${at(around)}/snap.N`)
  if (number === undefined && almostSnapshot.test(name))
    refuse(
      `${name} is no snapshot: say ${at(around)}/${meantBy(name)}, or, if a repository has that name, ${at(path)}/snap.N`,
    )
  return { destination: placeAt(place, around), repository: `${name}/`, number }
}

function meantBy(name: string): string {
  const meant = `snap.${Number(/\d+$/.exec(name)?.[0])}`
  return parseSnapshotName(meant) === undefined ? 'snap.N' : meant
}

/** From a slash on, also of a bucket. */
export function pathIn(place: Destination): string {
  return place.kind === 'directory' ? place.path : `/${place.prefix}`
}

/** Another place of the same store. */
export function placeAt(place: Destination, path: string): Destination {
  return place.kind === 'directory' ? { ...place, path: path || '/' } : { ...place, prefix: path.slice(1) }
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

import type { Abortable } from '../base/abort.ts'
import { StoreError } from '../store/errors.ts'
import { objectKey } from '../store/object-store.ts'
import { type OpenOptions, openDestination } from './destination.ts'
import { ownerKey } from './layout.ts'
import type { Destination } from './parse-destination.ts'
import { pathIn } from './split-repository.ts'

/** A repository, and the backup directory that it belongs to. */
export interface OwnedPlace {
  readonly destination: Destination
  /** Prefix of its keys in that destination: '' or ending in a slash. */
  readonly repository: string
}

/**
 * A repository may be named by any folder above it, and be a backup directory itself; its writers must all meet at one owner. Looks for
 * the nearest folder, from the repository's own upwards, that somebody owns already, and takes the destination as it was named where
 * nobody does. Rejects with a `StoreError`.
 */
export async function backupDirectoryOf(
  place: OwnedPlace,
  options: OpenOptions & Abortable,
): Promise<OwnedPlace> {
  const { destination } = place
  const around = pathIn(destination).slice(1)
  const repository = [around, place.repository.slice(0, -1)].filter(Boolean).join('/')
  for (let path = repository; ; path = path.slice(0, Math.max(0, path.lastIndexOf('/')))) {
    const at = path === around ? destination : withPath(destination, path)
    if (await isOwned(at, options)) return { destination: at, repository: below(path, repository) }
    if (path === '') return place
  }
}

/** It keeps its name in the settings, by which people reach it, unless it lies above what the name stands for. */
function withPath(destination: Destination, path: string): Destination {
  if (destination.kind === 'directory') return { ...destination, path: `/${path}` }
  const top = destination.named?.backupDirectory
  const isNamed = top !== undefined && (top === '' || path === top || path.startsWith(`${top}/`))
  return { ...destination, prefix: path, named: isNamed ? destination.named : undefined }
}

function below(path: string, repository: string): string {
  const rest = repository.slice(path === '' ? 0 : path.length + 1)
  return rest && `${rest}/`
}

async function isOwned(destination: Destination, options: OpenOptions & Abortable): Promise<boolean> {
  using opened = openDestination(destination, options)
  try {
    return (await opened.reader.head(objectKey(ownerKey), options)) !== undefined
  } catch (error) {
    // Keys may be for one folder only; and a folder that is not there yet has no owner.
    if (error instanceof StoreError && (error.code === 'access-denied' || error.code === 'no-bucket'))
      return false
    throw error
  }
}

import { join } from 'node:path'
import type { Abortable } from '../base/abort.ts'
import { Semaphore } from '../base/semaphore.ts'
import { type ObjectReader, objectKey } from '../store/object-store.ts'
import { backupDirectoryOf, type OwnedPlace } from './backup-directory.ts'
import type { OpenOptions } from './destination.ts'
import { ownerKey } from './layout.ts'
import type { Destination } from './parse-destination.ts'
import { pathIn, placeAt } from './split-repository.ts'

/** A backup directory, and repositories that belong to it. */
export interface OwnedDirectory {
  readonly destination: Destination
  readonly repositories: readonly OwnedRepository[]
}

export interface OwnedRepository {
  /** Prefix of its keys in its backup directory. */
  readonly prefix: string
  /** As it was given. */
  readonly given: string
}

export interface OwnedDirectoriesOptions extends OpenOptions, Abortable {
  /** Of `destination`. */
  readonly reader: ObjectReader
  /** Whose the repositories are that nobody owns: the place that a writer would make its own. */
  readonly unowned: OwnedPlace
}

/** HEADs at a time: a destination may hold thousands of accounts. */
const headsAtOnce = 16

/**
 * The backup directories of repositories (prefixes of their keys in `destination`): the nearest folder with an owner, from a repository's own upwards, as all
 * its writers find it (`native-notes/format.md` §9). Rejects with a `StoreError`.
 */
export async function ownedDirectories(
  destination: Destination,
  repositories: readonly string[],
  { reader, unowned, ...options }: OwnedDirectoriesOptions,
): Promise<OwnedDirectory[]> {
  const places = new Semaphore(headsAtOnce)
  const asked = new Map<string, Promise<boolean>>()
  const isOwned = async (folder: string): Promise<boolean> => {
    using _place = await places.acquire(options)
    return (await reader.head(objectKey(folder + ownerKey), options)) !== undefined
  }
  /** Prefix of the folder; undefined when it is not below the destination. */
  const nearest = async (repository: string): Promise<string | undefined> => {
    for (const folder of foldersAround(repository)) {
      const owned = asked.get(folder) ?? isOwned(folder)
      asked.set(folder, owned)
      if (await owned) return folder
    }
    return undefined
  }
  const found = new Map<string | undefined, string[]>()
  const owners = await Promise.all(repositories.map(nearest))
  for (const [index, repository] of repositories.entries()) {
    const owner = owners[index]
    found.set(owner, [...(found.get(owner) ?? []), repository])
  }
  return await Promise.all(
    [...found].map(async ([owner, below]) => {
      if (owner === undefined) return await ownedAbove(unowned, below, options)
      return {
        destination: owner === '' ? destination : placeBelow(destination, owner),
        repositories: below.map((given) => ({ prefix: given.slice(owner.length), given })),
      }
    }),
  )
}

/** `a/b/`, `a/` and '' of `a/b/`. */
function foldersAround(repository: string): string[] {
  const parts = repository.split('/').slice(0, -1)
  return [...parts.keys(), parts.length].reverse().map((depth) =>
    parts
      .slice(0, depth)
      .map((part) => `${part}/`)
      .join(''),
  )
}

async function ownedAbove(
  { destination, repository: first }: OwnedPlace,
  repositories: readonly string[],
  options: OpenOptions & Abortable,
): Promise<OwnedDirectory> {
  const { destination: owned, repository: way } = await backupDirectoryOf(
    { destination, repository: first },
    options,
  )
  return { destination: owned, repositories: repositories.map((given) => ({ prefix: way + given, given })) }
}

/** No longer what its name in the settings stands for. */
function placeBelow(destination: Destination, folder: string): Destination {
  const below = placeAt(destination, join(pathIn(destination), folder.slice(0, -1)))
  return below.kind === 's3' ? { ...below, named: undefined } : below
}

import { join } from 'node:path'
import type { Abortable } from '../base/abort.ts'
import { silentLogger } from '../base/log.ts'
import { type OpenDestination, openDestination } from '../destination/destination.ts'
import { isOwnFolder, ownerKey, parseSnapshotName, repositoryParts } from '../destination/layout.ts'
import { type Destination, formatDestination } from '../destination/parse-destination.ts'
import { pathIn, placeAt, type RepositoryPlace } from '../destination/split-repository.ts'
import { objectKey } from '../store/object-store.ts'
import { CliError } from './errors.ts'
import { foldersIn, passingOver } from './repositories.ts'

/**
 * Refuses, with `usage`, to begin a repository where something else is: in the folders of another one, or in a destination itself, whose repository's name
 * was forgotten. A place that holds nothing yet, or cannot be listed, is no reason to refuse.
 */
export async function refuseMisplaced(place: RepositoryPlace, options: Abortable): Promise<void> {
  const around = await repositoryAround(place.destination, options)
  if (around !== undefined)
    throw new CliError(
      'usage',
      `${formatDestination(place.destination)} is or lies in a part of the repository ${around}: say ${around}, or ${around}/snap.N`,
    )
  const given = placeAt(place.destination, join(pathIn(place.destination), place.repository.slice(0, -1)))
  const other = await otherContent(given, options)
  if (other === undefined) return
  const text = formatDestination(given)
  throw new CliError(
    'usage',
    `${text} is no repository, it holds ${other} and no snapshots: say ${text}/<repository>`,
  )
}

/** The repository that has the folder `files` or `export` in which the place lies. Other folders may have these names. */
async function repositoryAround(place: Destination, options: Abortable): Promise<string | undefined> {
  const parts = pathIn(place).split('/')
  for (const [depth, name] of parts.entries()) {
    if (!isOwnFolder(name)) continue
    const above = placeAt(place, parts.slice(0, depth).join('/'))
    using opened = open(above)
    if (hasSnapshots(await foldersAt(opened, options))) return formatDestination(above)
  }
  return undefined
}

/** Name of what a place without snapshots holds that no repository does. */
async function otherContent(place: Destination, options: Abortable): Promise<string | undefined> {
  using opened = open(place)
  const folders = await foldersAt(opened, options)
  if (hasSnapshots(folders)) return undefined
  const owner = await passingOver(ignore, () => opened.reader.head(objectKey(ownerKey), options))
  return owner === undefined ? repositoryParts(folders).folders[0] : ownerKey
}

async function foldersAt({ reader }: OpenDestination, options: Abortable): Promise<readonly string[]> {
  return (await passingOver(ignore, () => foldersIn(reader, '', options))) ?? []
}

/** What there is to warn of, the import itself does. */
function open(place: Destination): OpenDestination {
  return openDestination(place, { logger: silentLogger })
}

function hasSnapshots(folders: readonly string[]): boolean {
  return folders.some((name) => parseSnapshotName(name) !== undefined)
}

/** The import meets the same refusal, and tells of it. */
function ignore(): void {}

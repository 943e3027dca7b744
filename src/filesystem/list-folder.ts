import { repositoryParts } from '../destination/layout.ts'
import type { CatalogEntry } from '../snapshot/catalog.ts'
import type { ObjectMetadata, ObjectReader } from '../store/object-store.ts'
import type { Folder } from './folder.ts'
import { MountedSnapshot } from './mounted-snapshot.ts'

export interface ListFolderOptions {
  readonly reader: ObjectReader
  /** The repository's snapshots; those in `known` whose manifest is the same are not fetched again. */
  readonly listSnapshots: (
    repository: string,
    options: { readonly known: readonly CatalogEntry[] },
  ) => Promise<readonly CatalogEntry[]>
}

/** What the store has in a folder. */
export interface StoredFolder {
  readonly snapshots: readonly CatalogEntry[]
  /** Names of folders, without those that are a repository's own. */
  readonly folders: readonly string[]
  readonly objects: readonly ObjectMetadata[]
}

/** Asks the store what a folder holds; of a repository never what is in its `files/`. */
export async function listFolder(
  folder: Folder,
  { reader, listSnapshots }: ListFolderOptions,
): Promise<StoredFolder> {
  const prefixes: string[] = []
  const objects: ObjectMetadata[] = []
  for await (const page of reader.list(folder.prefix, { delimiter: '/' })) {
    prefixes.push(...page.prefixes)
    objects.push(...page.objects)
  }
  const parts = repositoryParts(prefixes.map((prefix) => prefix.slice(folder.prefix.length, -1)))
  const snapshots = parts.isRepository
    ? await listSnapshots(folder.prefix, { known: knownEntries(folder) })
    : []
  return { snapshots, folders: parts.folders, objects }
}

function knownEntries({ listing }: Folder): CatalogEntry[] {
  return [...(listing?.children.values() ?? [])].flatMap(({ target }) =>
    target instanceof MountedSnapshot ? [target.entry] : [],
  )
}

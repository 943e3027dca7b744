import type { CatalogEntry } from '../snapshot/catalog.ts'
import type { ListedIndex } from './listing.ts'

/** Whether one of the snapshots of a repository (prefix of its keys) has its file index there, or may have: nobody knows of one that cannot be read. */
export function isNamed(
  { key, number }: ListedIndex,
  repository: string,
  snapshots: readonly CatalogEntry[],
): boolean {
  return snapshots.some(
    (entry) =>
      entry.number === number &&
      (entry.problem !== undefined || repository + entry.manifest?.jbfs?.index.key === key),
  )
}

import { parseSnapshotName, repositoryParts } from '../destination/layout.ts'
import type { ObjectReader } from '../store/object-store.ts'

/** Folders that are listed to find a first snapshot, each a round trip before the mount is ready. */
const mostLooks = 16
/** `<job>/<account>/snap.N` is two; a few more for folders above that. */
const deepest = 4

export interface FirstRepository {
  /** Of the keys of the first repository that has a snapshot; undefined: none was found. */
  readonly prefix: string | undefined
  /** Folders that were listed. */
  readonly looks: number
}

/**
 * Looks for a snapshot in the first folders. The first folder of a destination is as good as any: where that one leads to no snapshot, hardly another does. Folders are only listed:
 * a tree would fetch all manifests of the first repository, too. Rejects with a `StoreError`.
 */
export async function firstRepository(reader: ObjectReader): Promise<FirstRepository> {
  let looks = 0

  const repositoryIn = async (prefix: string, depth: number): Promise<string | undefined> => {
    looks++
    const names: string[] = []
    for await (const { prefixes } of reader.list(prefix, { delimiter: '/' })) {
      const found = prefixes.map((folder) => folder.slice(prefix.length, -1))
      if (found.some((name) => parseSnapshotName(name) !== undefined)) return prefix
      names.push(...found)
    }
    for (const name of repositoryParts(names).folders) {
      if (depth === deepest || looks === mostLooks) return undefined
      const found = await repositoryIn(`${prefix}${name}/`, depth + 1)
      if (found !== undefined) return found
    }
    return undefined
  }

  const prefix = await repositoryIn('', 0)
  return { prefix, looks }
}

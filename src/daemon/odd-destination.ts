import { parseSnapshotName, repositoryParts } from '../destination/layout.ts'
import type { ObjectReader } from '../store/object-store.ts'

/** Folders that are listed to find a first snapshot, each a round trip before the mount is ready. */
const mostLooks = 16
/** `<job>/<account>/snap.N` is two; a few more for folders above that. */
const deepest = 4

export interface OddOptions {
  /** Whoever begins a destination finds nothing there. */
  readonly mayBeEmpty: boolean
}

/**
 * One line when nothing in the first folders looks like a destination, as when the path is one too short, or of something else; undefined
 * when something does. The first folder of a destination is as good as any: where that one leads to no snapshot, hardly another does.
 * Folders are only listed: a tree would fetch all manifests of the first repository, too.
 */
export async function noticeOfOddDestination(
  reader: ObjectReader,
  { mayBeEmpty }: OddOptions,
): Promise<string | undefined> {
  let looks = 0
  let isEmpty = false

  const leadsToSnapshot = async (prefix: string, depth: number): Promise<boolean> => {
    looks++
    const names: string[] = []
    for await (const { prefixes } of reader.list(prefix, { delimiter: '/' })) {
      const found = prefixes.map((folder) => folder.slice(prefix.length, -1))
      if (found.some((name) => parseSnapshotName(name) !== undefined)) return true
      names.push(...found)
    }
    if (depth === 0) isEmpty = names.length === 0
    for (const name of repositoryParts(names).folders) {
      if (depth === deepest || looks === mostLooks) return false
      if (await leadsToSnapshot(`${prefix}${name}/`, depth + 1)) return true
    }
    return false
  }

  try {
    if (await leadsToSnapshot('', 0)) return undefined
  } catch {
    // What cannot be listed tells nothing; whoever looks into it gets the error.
    return undefined
  }
  if (isEmpty && mayBeEmpty) return undefined
  const where = looks > 1 ? `in its first ${looks} folders` : 'in it'
  return `this does not look like a destination: there is no snapshot ${where}; a destination holds <account>/snap.N, or <job>/<account>/snap.N`
}

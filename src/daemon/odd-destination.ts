import type { DestinationTree } from '../filesystem/destination-tree.ts'
import type { Folder } from '../filesystem/folder.ts'
import { MountedSnapshot } from '../filesystem/mounted-snapshot.ts'

/** Folders that are listed to find a first snapshot, each a round trip before the mount is ready. */
const mostLooks = 16
/** `<job>/<account>/snap.N` is two; a few more for folders above that. */
const deepest = 4

/**
 * One line when nothing in the first folders looks like a destination, as when the path is one too short, or of something else; undefined
 * when something does. The first folder of a destination is as good as any: where that one leads to no snapshot, hardly another does.
 */
export async function noticeOfOddDestination(tree: DestinationTree): Promise<string | undefined> {
  let looks = 0

  const leadsToSnapshot = async (folder: Folder, depth: number): Promise<boolean> => {
    if (++looks > mostLooks) return false
    const { children } = await tree.listing(folder, {})
    const targets = [...children.values()].map(({ target }) => target)
    if (targets.some((target) => target instanceof MountedSnapshot)) return true
    for (const target of targets) {
      if (target instanceof MountedSnapshot || target.kind !== 'folder') continue
      if (depth === deepest || looks >= mostLooks) return false
      if (await leadsToSnapshot(target, depth + 1)) return true
    }
    return false
  }

  try {
    if (await leadsToSnapshot(tree.root, 0)) return undefined
  } catch {
    // What cannot be listed tells nothing; whoever looks into it gets the error.
    return undefined
  }
  const where = looks > 1 ? `in its first ${looks} folders` : 'in it'
  return `this does not look like a destination: there is no snapshot ${where}; a destination holds <account>/snap.N, or <job>/<account>/snap.N`
}

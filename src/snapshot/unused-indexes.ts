import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** An index that nobody opened for so long is removed (ms). */
const keptUnused = 30 * 24 * 3600 * 1000
/** What a daemon that died left of a download is removed after so long (ms). */
const keptUnfinished = 3600 * 1000
/** Bytes of all indexes together, some seventy of a million inodes; those opened longest ago go first. */
const keptBytes = 16 * 2 ** 30

/**
 * Removes from the folder of kept indexes what is not worth its room; an index's mtime is when it was last opened. Whoever has a removed one
 * open goes on reading it; whoever opens it at this moment fetches it again.
 */
export async function removeUnusedIndexes(folder: string): Promise<void> {
  const paths = (await readdir(folder)).map((name) => join(folder, name))
  const files = await Promise.all(
    // Another process may have removed it meanwhile.
    paths.map(async (path) => ({ path, stats: await stat(path).catch(() => undefined) })),
  )
  const now = Date.now()
  let bytes = 0
  for (const { path, stats } of files.toSorted((a, b) => (b.stats?.mtimeMs ?? 0) - (a.stats?.mtimeMs ?? 0))) {
    if (stats === undefined) continue
    const isIndex = path.endsWith('.sqlite')
    // One that was opened last stays, however large it is.
    const isTooMuch = isIndex && bytes > 0 && bytes + stats.size > keptBytes
    if (isIndex) bytes += stats.size
    if (isTooMuch || now - stats.mtimeMs > (isIndex ? keptUnused : keptUnfinished))
      await rm(path, { force: true })
  }
}

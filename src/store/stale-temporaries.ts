import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryPrefix } from './directory-root.ts'

/** Milliseconds. Nobody pauses for so long while he writes. */
const staleAge = 24 * 3_600_000

/** Removes from a folder what writers have left that died. What cannot be removed stays. */
export async function removeStaleTemporaries(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names.filter((each) => each.startsWith(temporaryPrefix))) {
    const path = join(folder, name)
    const stats = await lstat(path).catch(() => undefined)
    const isStale = stats?.isFile() === true && stats.mtimeMs < Date.now() - staleAge
    if (isStale) await rm(path, { force: true }).catch(() => {})
  }
}

import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryPrefix } from './directory-root.ts'

/** Of those that grow, and may wait for the next start of their writer. */
export const growingPrefix = `${temporaryPrefix}part-`

const day = 24 * 3_600_000
/** Milliseconds. Nobody pauses for so long while he writes. */
const staleAge = day
/** As long as the rule for buckets leaves them (`jbfs destination lifecycle`). */
const staleGrowingAge = 7 * day

/** Removes from a folder what writers have left that died. What cannot be removed stays. */
export async function removeStaleTemporaries(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names.filter((each) => each.startsWith(temporaryPrefix))) {
    const path = join(folder, name)
    const stats = await lstat(path).catch(() => undefined)
    const age = name.startsWith(growingPrefix) ? staleGrowingAge : staleAge
    const isStale = stats?.isFile() === true && stats.mtimeMs < Date.now() - age
    if (isStale) await rm(path, { force: true }).catch(() => {})
  }
}

import type { Stats } from 'node:fs'
import { stat, utimes } from 'node:fs/promises'

/** Notes, as its mtime, that a kept file is used now; what is used least goes first when there is too much. Undefined: there is none. */
export async function markUsed(path: string): Promise<Stats | undefined> {
  try {
    const stats = await stat(path)
    const now = new Date()
    await utimes(path, now, now)
    return stats
  } catch {
    return undefined
  }
}

import type { BigIntStats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'

/** What is to be an object of a directory store: on the disk, and of a time that no other has. Resolves with its stat. */
export async function finishFile(file: FileHandle): Promise<BigIntStats> {
  // The kernel's clock ticks every few milliseconds, in which a freed inode can come again: the etag needs a finer one. The whole of
  // `performance` would not do: it stands still while the machine sleeps, and takes no part in a clock that is set.
  const now = (Date.now() + (performance.now() % 1)) / 1000
  await file.utimes(now, now)
  await file.sync()
  return file.stat({ bigint: true })
}

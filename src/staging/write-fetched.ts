import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { writeAll } from '../base/write-all.ts'
import type { Extent } from '../snapshot/tree.ts'
import { stagingFault } from './staging-fault.ts'

/**
 * Writes an object's bytes to where `extents`, in their order, say that they lie in a file of `size` bytes, and resolves with their SHA-256 when they are on
 * the disk: what was stored must not be lost with the system because somebody was about to change it. Rejects with `ChangeError` where they cannot be
 * kept, else as `body` does.
 */
export async function writeFetched(
  path: string,
  body: AsyncIterable<Buffer>,
  extents: readonly Extent[],
  size: number,
): Promise<Buffer> {
  const hash = createHash('sha256')
  await using file = await kept(open(path, 'w', 0o600))
  let at = 0
  let next = 0
  for await (const piece of body) {
    hash.update(piece)
    for (let done = 0; done < piece.length; ) {
      const extent = extents[next]
      // Bytes that no extent speaks of are no part of the file.
      if (extent === undefined) break
      const from = at + done - extent.objectOffset
      const length = Math.min(piece.length - done, extent.length - from)
      await kept(writeAll(file, piece.subarray(done, done + length), extent.offset + from))
      done += length
      if (from + length === extent.length) next++
    }
    at += piece.length
  }
  await kept(file.truncate(size))
  await kept(file.sync())
  return hash.digest()
}

async function kept<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw stagingFault(error)
  }
}

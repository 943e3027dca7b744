import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Abortable } from '../base/abort.ts'
import { writeAll } from '../base/write-all.ts'
import { CacheError } from '../cache/errors.ts'
import type { Extent, OwnInode, OwnObjectRef } from '../snapshot/tree.ts'
import type { ObjectReader } from '../store/object-store.ts'
import { StagedFile } from './staged-file.ts'
import { stagingFault } from './staging-fault.ts'
import type { WorkingTree } from './working-tree.ts'

/** Gets the content of a file, which has an object, from the store into a file at `path`. Rejects with `CacheError` when the object is not there or not itself, else as `writeFetched` does. */
export async function fetchContent(
  path: string,
  { object, size, sparse, ino }: OwnInode & { readonly object: OwnObjectRef },
  { store, tree, signal }: { readonly store: ObjectReader; readonly tree: WorkingTree } & Abortable,
): Promise<StagedFile> {
  try {
    const found = await store.getStream(object.key, { signal })
    if (found === undefined) throw new CacheError('missing', `${object.key} is not in the store`)
    const extents = sparse ? [...tree.extents(ino, 0)] : [{ offset: 0, length: object.size, objectOffset: 0 }]
    const sha256 = await writeFetched(path, found.body, extents, size)
    if (!sha256.equals(object.sha256))
      throw new CacheError('corrupt', `${object.key} does not have the SHA-256 of its index`)
    return new StagedFile(path, { isNew: false })
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  }
}

/**
 * Writes an object's bytes to where `extents`, in their order, say that they lie in a file of `size` bytes, and resolves with their SHA-256 when they are on
 * the disk: what was stored must not be lost with the system because somebody was about to change it. Rejects with `ChangeError` where they cannot be
 * kept, else as `body` does.
 */
async function writeFetched(
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

import type { Abortable } from '../base/abort.ts'
import { batchesOf } from '../base/batches.ts'
import type { Logger } from '../base/log.ts'
import { fileKey } from '../destination/layout.ts'
import { listSnapshots } from '../snapshot/catalog.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { Tally } from './amount.ts'
import { eachReference, type FoundOrphans } from './find-orphans.ts'
import { isNamed } from './is-named.ts'

export interface FreeOptions extends Abortable {
  /** That of a lease: nobody else publishes meanwhile, as far as writers keep to it. */
  readonly store: ObjectStore
  /** A folder for file indexes while they are being opened. */
  readonly temporary: string
  readonly logger: Logger
  readonly onProgress: (freed: Freed) => void
}

/** What is gone: of a request that was interrupted, nothing is counted. */
export interface Freed {
  readonly objects: Tally
  readonly indexes: Tally
}

export function nothingFreed(): Freed {
  return { objects: new Tally(), indexes: new Tally() }
}

/** DeleteObjects of S3 takes so many keys. */
const batchSize = 1000

/**
 * Deletes what `findOrphans` has found, counting in `freed`, whatever ends it. The manifests are read again before each request that deletes: what a snapshot refers to that has been
 * published meanwhile, by a writer without a lease, stays. Resolves with the reason when it stops at a new snapshot that cannot be read. As nothing refers to what
 * is deleted, it may be interrupted anywhere.
 */
export async function freeOrphans(
  { repository, snapshots, objects, indexes }: FoundOrphans,
  freed: Freed,
  options: FreeOptions,
): Promise<string | undefined> {
  const { store, onProgress, signal } = options
  let known = snapshots
  const readManifestsAgain = async (): Promise<string | undefined> => {
    const now = await listSnapshots(store, repository, { signal, known })
    const added = now.filter((entry) => !known.includes(entry))
    known = now
    return await eachReference({ ...options, repository }, added, (referred) => {
      for (const { id } of referred) objects.spare(id)
    })
  }
  for (const batch of batchesOf(objects, batchSize)) {
    const reason = await readManifestsAgain()
    if (reason !== undefined) return reason
    const left = batch.filter(({ id }) => !objects.isSpared(id))
    const keys = left.map(({ id }) => fileKey(repository, id))
    await store.delete(keys, { signal })
    for (const { size } of left) freed.objects.add(size)
    onProgress(freed)
  }
  for (const index of indexes) {
    const { key, size, etag } = index
    // A publish first replaces the index that another one has left, and then puts the manifest.
    const isAsFound = (await store.head(key, { signal }))?.etag === etag
    const reason = await readManifestsAgain()
    if (reason !== undefined) return reason
    if (!isAsFound || isNamed(index, repository, known)) continue
    await store.delete([key], { signal })
    freed.indexes.add(size)
    onProgress(freed)
  }
  return undefined
}

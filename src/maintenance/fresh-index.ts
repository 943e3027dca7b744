import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/abort.ts'
import type { Logger } from '../base/log.ts'
import type { CatalogEntry } from '../snapshot/catalog.ts'
import { SnapshotError } from '../snapshot/errors.ts'
import { openSnapshotIndex } from '../snapshot/index-file.ts'
import type { OwnTree } from '../snapshot/tree.ts'
import { StoreError } from '../store/errors.ts'
import type { ObjectReader } from '../store/object-store.ts'

export interface FreshIndexOptions extends Abortable {
  readonly store: ObjectReader
  /** Prefix of the repository's keys. */
  readonly repository: string
  /** A folder for indexes while they are being opened: at most two at a time. */
  readonly temporary: string
  readonly logger: Logger
}

/** The file index of a snapshot, or why it cannot be had. */
export type FreshIndex =
  | { readonly entry: CatalogEntry; readonly tree: OwnTree; readonly problem: undefined }
  | { readonly entry: CatalogEntry; readonly tree: undefined; readonly problem: SnapshotError | StoreError }

/**
 * The file indexes of snapshots, in their order, the next one fetched while one is looked at; each is closed when the next one is asked for. They come from the store, never from
 * a cache: what they say decides what is deleted, and what lies at the destination is what is to be checked. Rejects with `IndexCacheError`.
 */
export async function* freshIndexes(
  entries: readonly CatalogEntry[],
  options: FreshIndexOptions,
): AsyncIterable<FreshIndex> {
  let next: Promise<FreshIndex> | undefined
  const begin = (index: number): void => {
    const entry = entries[index]
    next = entry && openFresh(entry, options)
    // Whoever waits for it is told; nobody may.
    next?.catch(() => {})
  }
  begin(0)
  try {
    for (let index = 0; next !== undefined; index++) {
      const found: FreshIndex = await next
      using _tree = found.tree
      begin(index + 1)
      yield found
    }
  } finally {
    const left = await next?.catch(() => undefined)
    left?.tree?.[Symbol.dispose]()
  }
}

async function openFresh(entry: CatalogEntry, options: FreshIndexOptions): Promise<FreshIndex> {
  // A cache of its own for each, which is gone when the index is open: nothing is left behind, however the process ends.
  const cacheDir = await mkdtemp(join(options.temporary, 'index-'))
  try {
    return { entry, tree: await openSnapshotIndex({ ...options, entry, cacheDir }), problem: undefined }
  } catch (error) {
    options.signal?.throwIfAborted()
    if (!(error instanceof SnapshotError || error instanceof StoreError)) throw error
    return { entry, tree: undefined, problem: error }
  } finally {
    await rm(cacheDir, { recursive: true, force: true })
  }
}

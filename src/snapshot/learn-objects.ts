import type { Abortable } from '../base/abort.ts'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { StoreError } from '../store/errors.ts'
import type { ObjectReader } from '../store/object-store.ts'
import type { CatalogEntry } from './catalog.ts'
import type { ContentStore } from './content-store.ts'
import { SnapshotError } from './errors.ts'
import { openSnapshotIndex } from './index-file.ts'

export interface LearnOptions extends Abortable {
  readonly store: ObjectReader
  /** Prefix of the repository's keys. */
  readonly repository: string
  /** Indexes are kept there. */
  readonly cacheDir: string
  readonly logger: Logger
}

/** What a repository's own snapshots have is not sent again; one whose index cannot be read is passed over. */
export async function learnObjects(
  contents: ContentStore,
  { store, repository, cacheDir, logger, signal }: LearnOptions,
  snapshots: readonly CatalogEntry[],
): Promise<void> {
  for (const entry of snapshots.filter(({ problem }) => problem === undefined)) {
    try {
      using tree = await openSnapshotIndex({ store, repository, entry, cacheDir, logger, signal })
      for (const object of tree.objects()) contents.know(object)
    } catch (error) {
      if (!(error instanceof SnapshotError || error instanceof StoreError)) throw error
      logger.warn(
        { snapshot: repository + entry.name, error: messageOf(error) },
        'its files cannot be reused',
      )
    }
  }
}

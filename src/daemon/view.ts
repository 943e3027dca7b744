import type { Logger } from '../base/log.ts'
import type { BlobSource } from '../cache/blob-source.ts'
import type { DestinationTree } from '../filesystem/destination-tree.ts'
import type { FuseOperations } from '../fuse/operations.ts'
import type { Mount } from '../fuse/transport.ts'
import type { ObjectReader } from '../store/object-store.ts'
import type { StoreMetrics } from '../store/with-metrics.ts'
import type { MountOptions } from './mount-options.ts'
import type { Writing } from './writing.ts'

/** What a mount shows of a destination: its snapshots, or its keys. Dispose to close what it holds. */
export interface View extends Pick<DestinationTree, 'refresh' | 'snapshots'>, AsyncDisposable {
  readonly operations: FuseOperations
  readonly writing: Writing | undefined
}

export interface ViewContext {
  readonly options: MountOptions
  readonly reader: ObjectReader
  readonly source: BlobSource
  readonly metrics: StoreMetrics
  readonly logger: Logger
  /** As `DaemonContext` has it. */
  readonly tell: (notice: string) => void
  /** Owner of what is not part of a snapshot: who mounts. */
  readonly owner: { readonly uid: number; readonly gid: number }
  /** undefined until the mount is there. */
  readonly mount: () => Mount | undefined
}

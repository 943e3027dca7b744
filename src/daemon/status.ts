import type { ObjectCache } from '../cache/object-cache.ts'
import { type Destination, formatDestination } from '../destination/parse-destination.ts'
import type { Mount } from '../fuse/transport.ts'
import type { PendingTotals } from '../staging/pending-totals.ts'
import type { StoreMetrics } from '../store/with-metrics.ts'
import type { MountOptions } from './mount-options.ts'
import type { StateFolderFault, StateFolderFaults } from './state-folder-faults.ts'
import type { View } from './view.ts'

export interface StatusSources {
  readonly options: MountOptions
  readonly description: string
  readonly mount: Mount
  readonly isMounted: boolean
  readonly metrics: StoreMetrics
  readonly source: ObjectCache
  readonly view: View
  readonly faults: StateFolderFaults
}

const started = new Date()

/** What `jbfs status` shows of a mount; bytes and counts since it was mounted. */
export interface MountStatus {
  /** With its name before it, when it has one: `offsite (s3://bucket/path)`. */
  readonly destination: string
  readonly mountpoint: string
  readonly pid: number
  /** False when it is unmounted, and the daemon goes on until all that was written is published. */
  readonly isMounted: boolean
  /** ISO 8601. */
  readonly since: string
  readonly transport: string
  readonly residentBytes: number
  /** FUSE requests by operation. */
  readonly operations: Readonly<Record<string, number>>
  readonly store: StoreMetrics
  readonly cache: ObjectCache['metrics']
  readonly snapshots: readonly SnapshotStatus[]
  /** What was written and is not published; undefined for a mount that is only for reading. */
  readonly writing?: WritingStatus | undefined
}

export interface WritingStatus extends PendingTotals {
  /** The command line that mounts the same for writing again. */
  readonly mountAgain: string
  /** The last one, unless it is long ago. */
  readonly stateFolderFault?: StateFolderFault | undefined
}

export interface SnapshotStatus {
  readonly repository: string
  readonly name: string
  readonly state: 'unopened' | 'open' | 'changed' | 'damaged' | 'foreign'
  readonly problem?: string
}

export function statusOf({
  options,
  description,
  mount,
  isMounted,
  metrics,
  source,
  view,
  faults,
}: StatusSources): MountStatus {
  return {
    destination: titleOf(options.destination, description),
    mountpoint: options.mountpoint,
    pid: process.pid,
    isMounted,
    since: started.toISOString(),
    transport: options.transport,
    residentBytes: process.memoryUsage.rss(),
    operations: mount.counts(),
    store: metrics,
    cache: source.metrics,
    writing: view.writing && {
      ...view.writing.snapshots.pending(),
      mountAgain: options.mountAgain,
      stateFolderFault: faults.recent,
    },
    snapshots: [...view.snapshots()].map(({ repository, entry, openedTree, problem, working }) => ({
      repository: repository.replace(/\/$/, ''),
      name: entry.name,
      state:
        problem !== undefined
          ? problem.code === 'foreign'
            ? 'foreign'
            : 'damaged'
          : working
            ? 'changed'
            : openedTree
              ? 'open'
              : 'unopened',
      ...(problem && { problem: problem.message }),
    })),
  }
}

function titleOf(destination: Destination, description: string): string {
  return destination.named ? `${formatDestination(destination)} (${description})` : description
}

import { messageOf } from '../base/errors.ts'
import { snapshotName } from '../destination/layout.ts'
import type { WorkingSnapshot } from './working-snapshot.ts'

/** Files and bytes that are not in the store. */
export interface PendingTotals {
  readonly files: number
  readonly bytes: number
  /** Snapshots with changes that readers do not see. */
  readonly snapshots: number
  readonly failures: readonly PendingFailure[]
}

/** What a file could not be stored for, or, without an inode, a snapshot not be published. */
export interface PendingFailure {
  readonly snapshot: string
  readonly inode?: number
  readonly error: string
}

/** Of snapshots that are being changed. */
export function pendingTotals(snapshots: Iterable<WorkingSnapshot>): PendingTotals {
  const totals = { files: 0, bytes: 0, snapshots: 0 }
  const failures: PendingFailure[] = []
  for (const snapshot of snapshots) {
    if (!snapshot.publishing.isDone) totals.snapshots++
    for (const { bytes } of snapshot.pending()) {
      totals.files++
      totals.bytes += bytes
    }
    failures.push(...failuresOf(snapshot))
  }
  return { ...totals, failures }
}

function failuresOf(snapshot: WorkingSnapshot): PendingFailure[] {
  const { name, repository, number, publishing } = snapshot
  const failures: PendingFailure[] = []
  for (const { ino, failure } of snapshot.pending())
    if (failure !== undefined) failures.push({ snapshot: name, inode: ino, error: messageOf(failure) })
  // It fails with the fault of a file, too.
  if (publishing.failure !== undefined && failures.length === 0)
    failures.push({ snapshot: name, error: messageOf(publishing.failure) })
  const { former, formerFailure } = publishing
  if (former !== undefined && formerFailure !== undefined)
    failures.push({
      snapshot: repository + snapshotName(former.number),
      error: `it is ${snapshotName(number)} now, and could not be removed: ${messageOf(formerFailure)}`,
    })
  return failures
}

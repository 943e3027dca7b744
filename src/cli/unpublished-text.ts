import type { PendingTotals } from '../staging/working-snapshots.ts'
import { amountText, counted } from './maintenance/counts.ts'

/** `1 snapshot not published, 2 files (1.5 MiB) not stored`; without the files where all are. */
export function unpublishedText({
  snapshots,
  files,
  bytes,
}: Pick<PendingTotals, 'snapshots' | 'files' | 'bytes'>): string {
  const text = `${counted(snapshots, 'snapshot')} not published`
  return files === 0 ? text : `${text}, ${amountText({ count: files, bytes }, 'file')} not stored`
}

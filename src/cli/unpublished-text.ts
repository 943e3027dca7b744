import type { PendingTotals } from '../staging/pending-totals.ts'
import { amountText, counted } from './maintenance/counts.ts'

/** For the help of a command that publishes. */
export const unpublishedExits = `Exit codes when not all that was written is published:
    3  the destination cannot be reached, or refuses: it is kept, and tried again
    8  the right to write is lost: it is kept, and the command that goes on with it is shown`

/** `1 snapshot not published, 2 files (1.5 MiB) not stored`; without the files where all are. */
export function unpublishedText({
  snapshots,
  files,
  bytes,
}: Pick<PendingTotals, 'snapshots' | 'files' | 'bytes'>): string {
  const text = `${counted(snapshots, 'snapshot')} not published`
  return files === 0 ? text : `${text}, ${amountText({ count: files, bytes }, 'file')} not stored`
}

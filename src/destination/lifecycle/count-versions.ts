import type { Abortable } from '../../base/abort.ts'
import type { BucketMarker, BucketReader } from '../../store/s3-bucket.ts'

export interface VersionCounts {
  readonly noncurrentVersions: number
  readonly noncurrentBytes: number
  readonly deleteMarkers: number
}

export interface CountOptions extends Abortable {
  /** Of whole keys, in the bucket. */
  readonly prefix: string
  /** Called with how much has been looked at, of each page. */
  readonly onPage?: ((entries: number) => void) | undefined
}

/**
 * Counts what is kept below `prefix` beside the current objects: every version is listed, a page at a time, and nothing of it kept. undefined: the
 * server does not have this kind of request. Rejects with `StoreError`.
 */
export async function countVersions(
  bucket: BucketReader,
  { prefix, onPage, signal }: CountOptions,
): Promise<VersionCounts | undefined> {
  const counts = { noncurrentVersions: 0, noncurrentBytes: 0, deleteMarkers: 0 }
  let after: BucketMarker | undefined
  do {
    const page = await bucket.versions({ prefix, after, signal })
    if (page === undefined) return undefined
    counts.noncurrentVersions += page.noncurrentVersions
    counts.noncurrentBytes += page.noncurrentBytes
    counts.deleteMarkers += page.deleteMarkers
    onPage?.(page.entries)
    after = page.next
  } while (after !== undefined)
  return counts
}

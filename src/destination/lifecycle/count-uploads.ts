import type { BucketMarker, BucketReader, IncompleteUpload } from '../../store/s3-bucket.ts'
import type { CountOptions } from './count-versions.ts'

export interface UploadCounts {
  readonly uploads: number
  /** Bytes of the parts that are there. */
  readonly bytes: number
  /** When the oldest began, milliseconds since the epoch; undefined when there is none. */
  readonly oldest: number | undefined
}

const none: UploadCounts = { uploads: 0, bytes: 0, oldest: undefined }

/**
 * Counts the uploads below `prefix` that were begun and not ended, a page at a time. undefined: the server does not have this kind of request. Rejects
 * with `StoreError`.
 */
export async function countUploads(
  bucket: BucketReader,
  options: CountOptions,
): Promise<UploadCounts | undefined> {
  const counts = await countListed(bucket, options, options.prefix)
  // MinIO takes the prefix for a whole key, but lists all uploads of a bucket.
  return counts?.uploads === 0 && options.prefix !== '' ? await countListed(bucket, options, '') : counts
}

async function countListed(
  bucket: BucketReader,
  { prefix, onPage, signal }: CountOptions,
  listed: string,
): Promise<UploadCounts | undefined> {
  let counts = none
  let after: BucketMarker | undefined
  do {
    const page = await bucket.uploads({ prefix: listed, after, signal })
    if (page === undefined) return undefined
    const sized = page.uploads
      .filter(({ key }) => key.startsWith(prefix))
      .map(async (upload) => ({ upload, bytes: await bucket.uploadedBytes(upload, { signal }) }))
    // One that has ended meanwhile is none any more.
    for (const { upload, bytes } of await Promise.all(sized))
      if (bytes !== undefined) counts = plus(counts, upload, bytes)
    onPage?.(page.uploads.length)
    after = page.next
  } while (after !== undefined)
  return counts
}

function plus(
  { uploads, bytes, oldest }: UploadCounts,
  { initiated }: IncompleteUpload,
  more: number,
): UploadCounts {
  const times = [oldest, initiated].filter((time) => time !== undefined)
  return {
    uploads: uploads + 1,
    bytes: bytes + more,
    oldest: times.length === 0 ? undefined : Math.min(...times),
  }
}

import { hash } from 'node:crypto'
import type { LifecycleRule } from '../../store/s3-bucket.ts'

export interface RecommendedDays {
  /** Days that a version stays after it was deleted or overwritten. */
  readonly noncurrent: number
  /** Days from the beginning of an upload to when it is given up; undefined: the server takes no such rule. */
  readonly upload: number | undefined
}

export const defaultDays = Object.freeze({
  /** A month to notice that backups were deleted by mistake, or by an intruder, and to get them back. */
  noncurrent: 30,
  /** S3 counts from the beginning of an upload, also while it goes on: a week at 10 Mbit/s is 700 GB, and no upload of a backup takes longer. */
  upload: 7,
})

/** The rule for all keys below `prefix`, and for no others; `isOlderForm` for a bucket whose rules have no `Filter`, as the two do not mix. */
export function recommendedRule(
  prefix: string,
  { noncurrent, upload }: RecommendedDays,
  { isOlderForm = false }: { readonly isOlderForm?: boolean } = {},
): LifecycleRule {
  return {
    ID: recommendedId(prefix),
    Status: 'Enabled',
    ...(isOlderForm ? { Prefix: prefix } : { Filter: { Prefix: prefix } }),
    NoncurrentVersionExpiration: { NoncurrentDays: noncurrent },
    // What is left of an object when its last version has gone.
    Expiration: { ExpiredObjectDeleteMarker: true },
    ...(upload !== undefined && { AbortIncompleteMultipartUpload: { DaysAfterInitiation: upload } }),
  }
}

/** Ours is found by it. S3 takes up to 255 characters. */
export function recommendedId(prefix: string): string {
  const id = `jbfs ${prefix === '' ? 'whole bucket' : prefix}`
  return id.length <= 255 ? id : `jbfs ${hash('sha256', prefix)}`
}

import type { Abortable } from '../../base/abort.ts'
import { StoreError } from '../../store/errors.ts'
import type { BucketLifecycle, BucketReader, BucketVersioning } from '../../store/s3-bucket.ts'
import { countUploads, type UploadCounts } from './count-uploads.ts'
import { countVersions, type VersionCounts } from './count-versions.ts'

/** `unknown`: the server has nothing like it, and why · `refused`: it could not be looked at this time. */
export type Part<T> =
  | { readonly kind: 'found'; readonly value: T }
  | { readonly kind: 'unknown'; readonly why: string }
  | { readonly kind: 'refused'; readonly error: StoreError }

export interface LifecycleFindings {
  readonly versioning: Part<BucketVersioning>
  readonly rules: Part<BucketLifecycle>
  readonly uploads: Part<UploadCounts>
  readonly versions: Part<VersionCounts>
}

export interface LookProgress {
  /** Versions and delete markers looked at. */
  readonly versions: number
  readonly uploads: number
}

export interface LookOptions extends Abortable {
  /** Of whole keys, in the bucket. */
  readonly prefix: string
  /** Why the rules are not asked for; undefined: they are. */
  readonly withoutRules?: string | undefined
  readonly onProgress?: ((progress: LookProgress) => void) | undefined
}

const unknownRequest = 'the server does not know this kind of request'
const neverVersioned: VersionCounts = { noncurrentVersions: 0, noncurrentBytes: 0, deleteMarkers: 0 }

/**
 * Looks at all that grows in a bucket without being a backup. What is refused hides nothing else; rejects with `StoreError` when the
 * server cannot be reached at all, or refuses everything.
 */
export async function lookAtLifecycle(
  bucket: BucketReader,
  { prefix, withoutRules, onProgress, signal }: LookOptions,
): Promise<LifecycleFindings> {
  const progress = { versions: 0, uploads: 0 }
  const counting = (what: keyof LookProgress) => (entries: number) => {
    progress[what] += entries
    onProgress?.(progress)
  }
  const versioning = await partOf(() => bucket.versioning({ signal }), signal)
  // Who cannot be reached would be asked in vain for the rest as well.
  if (versioning.kind === 'refused' && !isRefusal(versioning.error)) throw versioning.error
  const [rules, uploads, versions] = await Promise.all([
    withoutRules === undefined
      ? partOf(() => bucket.lifecycle({ signal }), signal)
      : ({ kind: 'unknown', why: withoutRules } as const),
    partOf(() => countUploads(bucket, { prefix, onPage: counting('uploads'), signal }), signal),
    partOf(async () => {
      // A listing of millions that would find nothing.
      if (versioning.kind === 'found' && versioning.value === 'never') return neverVersioned
      return await countVersions(bucket, { prefix, onPage: counting('versions'), signal })
    }, signal),
  ])
  const findings = { versioning, rules, uploads, versions }
  const parts = Object.values(findings)
  if (versioning.kind === 'refused' && parts.every(({ kind }) => kind !== 'found')) throw versioning.error
  return findings
}

/** Whether it is about this one question, so that another may be answered. */
function isRefusal({ code }: StoreError): boolean {
  return code === 'access-denied' || code === 'invalid'
}

async function partOf<T>(
  ask: () => Promise<T | undefined>,
  signal: AbortSignal | undefined,
): Promise<Part<T>> {
  try {
    const value = await ask()
    return value === undefined ? { kind: 'unknown', why: unknownRequest } : { kind: 'found', value }
  } catch (error) {
    signal?.throwIfAborted()
    if (!(error instanceof StoreError)) throw error
    return { kind: 'refused', error }
  }
}

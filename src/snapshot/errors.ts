import { JbfsError } from '../base/errors.ts'

/**
 * Why a snapshot cannot be shown, or not written: `bad-manifest` no JSON, or not of the manifest's shape ·
 * `no-manifest` the folder `snap.N/` has none · `no-index` the manifest names an index that is not there · `elsewhere` what waits to be published of it was written to another store, as it seems · `bad-index` its bytes, its schema or
 * its rows are not those of a valid index · `foreign` it was written by something else, whose index jbfs does not read ·
 * `snapshot-exists` there is such a snapshot already · `bad-name` not `snap.N` with N ≥ 1 · `too-new` a format version this jbfs does not know.
 */
export const snapshotErrorCodes = [
  'bad-manifest',
  'no-manifest',
  'no-index',
  'elsewhere',
  'bad-index',
  'foreign',
  'snapshot-exists',
  'bad-name',
  'too-new',
] as const
export type SnapshotErrorCode = (typeof snapshotErrorCodes)[number]

/** `cache-full` no room for a file index in the cache folder · `cache-unusable` it cannot be written there for another reason. */
export type IndexCacheErrorCode = 'cache-full' | 'cache-unusable'

/** Nothing is wrong with the snapshot, and the next try may succeed. */
export class IndexCacheError extends JbfsError<IndexCacheErrorCode> {
  override readonly name = 'IndexCacheError'
}

export class SnapshotError extends JbfsError<SnapshotErrorCode> {
  override readonly name = 'SnapshotError'
}

/**
 * Why a tree cannot be changed so: `name-taken` · `no-name` there is none of that name · `not-empty` a folder with entries · `is-folder`, `no-folder` it is
 * one, or is none · `into-itself` a folder would lie in itself · `not-permitted` Linux does not allow it for this kind of file · `no-attribute` ·
 * `attribute-taken` · `too-large` larger than a file can be · `not-possible` the kind of change is unknown here · `bad-place` nothing like this can lie there ·
 * `other-snapshot` only within one snapshot · `staging-full` no room to keep what is written · `staging-failed` it cannot be kept for another reason.
 */
export type ChangeErrorCode =
  | 'name-taken'
  | 'no-name'
  | 'not-empty'
  | 'is-folder'
  | 'no-folder'
  | 'into-itself'
  | 'not-permitted'
  | 'no-attribute'
  | 'attribute-taken'
  | 'too-large'
  | 'not-possible'
  | 'bad-place'
  | 'other-snapshot'
  | 'staging-full'
  | 'staging-failed'

/** An ordinary answer to who wants to change something, and no fault. */
export class ChangeError extends JbfsError<ChangeErrorCode> {
  override readonly name = 'ChangeError'

  constructor(code: ChangeErrorCode, message: string = code, options?: ErrorOptions) {
    super(code, message, options)
  }
}

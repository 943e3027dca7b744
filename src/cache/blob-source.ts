import type { Abortable } from '../base/abort.ts'
import type { ByteRange, ObjectKey } from '../store/object-store.ts'

/**
 * Where the filesystem gets file content from. Called for every READ, concurrently; the answer is synchronous whenever
 * the bytes are in memory, because a cached read must not cost a turn of the event loop.
 */
export interface BlobSource {
  /**
   * The bytes of `range`, which lies inside the blob, in order and without gaps, in as few pieces as they are held.
   * The pieces are shared: never write to them. Rejects with a `StoreError`, a `CacheError` (`missing`, `corrupt`) or the abort reason.
   */
  read(
    blob: Blob,
    range: ByteRange,
    options?: ReadOptions,
  ): readonly Uint8Array[] | Promise<readonly Uint8Array[]>

  /**
   * Starts to fetch blobs that will soon be read, in this order. Only a hint: bounded by bytes and count, never waits, never
   * throws, what fails is fetched again by its `read`. Returns how many of them (a prefix of the list) are now held or on their way.
   */
  prefetch(blobs: readonly Blob[]): number
}

export interface ReadOptions extends Abortable {
  /**
   * The pieces are only lent: used, or copied, before the event loop's next turn after they have been handed out. Their memory is then used
   * again, which is much of the speed of large objects. Without it they are the caller's for as long as wanted.
   */
  readonly lend?: boolean | undefined
}

/** An immutable run of bytes in the store. `ObjectRef` of a snapshot is one. */
export interface Blob {
  readonly key: ObjectKey
  /** Bytes; what the store has must be exactly as long, unless it is packed. */
  readonly size: number
  /** 32 bytes; undefined for an object no index speaks of, which is then bound to its `etag`. */
  readonly sha256?: Buffer | undefined
  readonly etag?: string | undefined
  /** How it is stored; `size` and `sha256` are those of its bytes when they are unpacked. */
  readonly packing?: 'gzip' | undefined
}

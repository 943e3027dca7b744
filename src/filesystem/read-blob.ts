import type { Blob, BlobSource } from '../cache/blob-source.ts'
import type { MaybePromise } from '../fuse/operations.ts'

/** What read(2) gives of a blob: fewer bytes at its end, none behind it. The pieces are lent (`ReadOptions`). */
export function readBlob(
  source: BlobSource,
  blob: Blob,
  { offset, size }: { readonly offset: number; readonly size: number },
  signal: AbortSignal,
): MaybePromise<readonly Uint8Array[]> {
  const length = Math.min(size, blob.size - offset)
  return length <= 0 ? [] : source.read(blob, { offset, length }, { signal, lend: true })
}

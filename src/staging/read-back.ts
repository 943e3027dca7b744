import type { BufferPool } from '../base/buffer-pool.ts'
import type { Semaphore } from '../base/semaphore.ts'
import { CacheError } from '../cache/errors.ts'
import type { ByteRange } from '../store/object-store.ts'
import type { PartBytes } from './gathered-parts.ts'
import type { StagedFile } from './staged-file.ts'

export interface ReadBackOptions {
  /** Bytes. */
  readonly memory: Semaphore
  readonly buffers: BufferPool
  /** Gives up waiting for memory. */
  readonly signal: AbortSignal
}

/** Reads ranges of a staged file, of `length` bytes together, in shared memory. Rejects with `corrupt` when the file is shorter. */
export async function readBack(
  file: StagedFile,
  ranges: readonly ByteRange[],
  length: number,
  { memory, buffers, signal }: ReadBackOptions,
): Promise<PartBytes> {
  using held = new DisposableStack()
  held.use(await memory.acquire({ signal, weight: length }))
  const buffer = length > buffers.size ? Buffer.from(new SharedArrayBuffer(length)) : buffers.take()
  if (buffer.length === buffers.size) held.defer(() => buffers.giveBack(buffer))
  const bytes = buffer.subarray(0, length)
  let filled = 0
  for (const range of ranges) {
    const piece = bytes.subarray(filled, filled + range.length)
    if ((await file.fill(piece, range.offset)) < range.length)
      throw new CacheError('corrupt', `${file.path} is shorter than it was`)
    filled += range.length
  }
  return { bytes, room: held.move() }
}

import { type FileHandle, open } from 'node:fs/promises'
import { systemReason } from '../base/system-reason.ts'
import { StoreError } from './errors.ts'
import type { FileSource } from './object-store.ts'

/** Bytes read of a file at a time. */
export const pieceSize = 1 << 20

/**
 * The bytes of a file source, in pieces that are valid until the next is asked for. Throws `invalid` when the file cannot be read, or is
 * shorter than its ranges: that is no fault of a store, and would be none the better for trying again.
 */
export async function* readSource(
  source: FileSource,
  signal: AbortSignal | undefined,
): AsyncIterable<Buffer> {
  const path = String(source.path)
  const failed = (error: unknown): never => {
    throw new StoreError('invalid', `${path} cannot be read: ${systemReason(error)}`, { cause: error })
  }
  await using file: FileHandle = await open(source.path, 'r').catch(failed)
  const buffer = Buffer.allocUnsafeSlow(pieceSize)
  for (const { offset, length } of source.ranges) {
    for (let done = 0; done < length; ) {
      signal?.throwIfAborted()
      const { bytesRead } = await file
        .read(buffer, 0, Math.min(buffer.length, length - done), offset + done)
        .catch(failed)
      if (bytesRead === 0) throw new StoreError('invalid', `${path} is shorter than it was`)
      yield buffer.subarray(0, bytesRead)
      done += bytesRead
    }
  }
}

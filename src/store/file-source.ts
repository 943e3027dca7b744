import { open } from 'node:fs/promises'
import { StoreError } from './errors.ts'
import type { FileSource } from './object-store.ts'

/** Bytes read of a file at a time. */
export const pieceSize = 1 << 20

/** The bytes of a file source, in pieces that are valid until the next is asked for. */
export async function* readSource(
  source: FileSource,
  signal: AbortSignal | undefined,
): AsyncIterable<Buffer> {
  await using file = await open(source.path, 'r')
  const buffer = Buffer.allocUnsafeSlow(pieceSize)
  for (const { offset, length } of source.ranges) {
    for (let done = 0; done < length; ) {
      signal?.throwIfAborted()
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, length - done), offset + done)
      if (bytesRead === 0) throw new StoreError('invalid', `${String(source.path)} is shorter than it was`)
      yield buffer.subarray(0, bytesRead)
      done += bytesRead
    }
  }
}

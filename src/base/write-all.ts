import type { FileHandle } from 'node:fs/promises'

/** Writes all of `bytes` at `position`: write(2) may take a part of them, as where a disk becomes full, and say so by nothing but its count. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
}

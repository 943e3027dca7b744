import { type BigIntStats, constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { codeOf } from '../base/errors.ts'
import { lseekData, lseekHole } from '../base/libc.ts'
import type { ByteRange } from '../store/object-store.ts'
import { openLongPath } from './open-long-path.ts'
import { readable } from './readable.ts'
import type { OpenContent } from './source.ts'

/** st_blocks counts in these (stat(2)). */
const sectorSize = 512n

/** What open(2) says of a name that has become that of nothing, of a symlink, or of a socket. */
const replacedErrors = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO']

/**
 * Opens the regular file that `found` was said of. What somebody has put in its place since, a FIFO or a symlink to a file that is not theirs, is
 * neither waited for nor read. Undefined when the file is not as it was.
 */
export async function openFound(at: Buffer, found: BigIntStats): Promise<OpenContent | undefined> {
  return readable(at, async () => {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const handle = await openLongPath(at, flags).catch((error: unknown) => {
      if (!replacedErrors.includes(codeOf(error) ?? '')) throw error
    })
    if (handle === undefined) return undefined
    try {
      if (isSame(found, await handle.stat({ bigint: true }))) return contentOf(handle, at, found)
    } catch (error) {
      await handle.close()
      throw error
    }
    await handle.close()
    return undefined
  })
}

/** The ranges of data in it are looked for; there are none in a file that is one hole. */
function contentOf(handle: FileHandle, at: Buffer, found: BigIntStats): OpenContent {
  const size = Number(found.size)
  const mayHaveHoles = found.blocks * sectorSize < found.size
  const ranges = mayHaveHoles ? dataRanges(handle.fd, size) : [{ offset: 0, length: size }]
  return {
    path: `/proc/self/fd/${handle.fd}`,
    ranges,
    read: (into, offset) =>
      readable(at, async () => (await handle.read(into, 0, into.length, offset)).bytesRead),
    isUnchanged: () => readable(at, async () => isSame(found, await handle.stat({ bigint: true }))),
    [Symbol.asyncDispose]: () => handle.close(),
  }
}

function dataRanges(fd: number, size: number): ByteRange[] {
  const ranges: ByteRange[] = []
  for (let end = 0; end < size; ) {
    const offset = lseekData(fd, end)
    if (offset === undefined) break
    end = Math.min(size, lseekHole(fd, offset) ?? size)
    if (end <= offset) break
    ranges.push({ offset, length: end - offset })
  }
  return ranges
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return (
    a.dev === b.dev &&
    a.ino === b.ino &&
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs
  )
}

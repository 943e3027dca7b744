import { type BigIntStats, constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { codeOf } from '../base/errors.ts'
import type { OpenContent } from '../snapshot/content-store.ts'
import { dataRanges } from '../store/data-ranges.ts'
import { openLongPath } from './open-long-path.ts'
import { readable } from './readable.ts'

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
  const ranges = dataRanges(handle.fd, { size, blocks: Number(found.blocks) })
  return {
    path: `/proc/self/fd/${handle.fd}`,
    ranges,
    read: (into, offset) =>
      readable(at, async () => (await handle.read(into, 0, into.length, offset)).bytesRead),
    isUnchanged: () => readable(at, async () => isSame(found, await handle.stat({ bigint: true }))),
    [Symbol.asyncDispose]: () => handle.close(),
  }
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

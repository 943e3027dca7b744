import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/** Bytes of a path that one call takes: PATH_MAX of Linux is 4,096 with the NUL; what stands for the first part needs some, too. */
const longestStep = 4000

const slash = '/'.charCodeAt(0)

/**
 * open(2) of an absolute path of any length: folders may lie deeper than PATH_MAX, because they are made by relative steps. Such a path is opened in
 * several, each from the folder that the one before has opened. `flags` are for the last.
 */
export async function openLongPath(path: Buffer, flags: number): Promise<FileHandle> {
  if (path.length <= longestStep) return open(path, flags)
  let folder: FileHandle | undefined
  try {
    let rest = path
    while (rest.length > longestStep) {
      // A name has 255 bytes at most: there is a slash.
      const end = rest.lastIndexOf(slash, longestStep)
      const next = await open(
        below(folder, rest.subarray(0, end)),
        constants.O_RDONLY | constants.O_DIRECTORY,
      )
      await folder?.close()
      folder = next
      rest = rest.subarray(end + 1)
    }
    return await open(below(folder, rest), flags)
  } finally {
    await folder?.close()
  }
}

function below(folder: FileHandle | undefined, path: Buffer): Buffer {
  return folder === undefined ? path : Buffer.concat([Buffer.from(`/proc/self/fd/${folder.fd}/`), path])
}

import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemReason } from '../base/system-reason.ts'
import { ImportError } from './errors.ts'
import { folderMark, removeLeftFolders } from './left-folders.ts'

/**
 * Makes a folder of its own below `TMPDIR`, else `/tmp`, that nobody else may enter; the caller removes it. Its name begins with `prefix`. Those of
 * processes that were killed are removed first. Rejects with `no-temporary-folder`.
 */
export async function makeTemporaryFolder(prefix: string): Promise<string> {
  const parent = tmpdir()
  await removeLeftFolders(parent)
  try {
    return await mkdtemp(join(parent, `${prefix}${folderMark()}`))
  } catch (error) {
    throw new ImportError(
      'no-temporary-folder',
      `no temporary folder can be made in ${parent}: set TMPDIR to a folder that can be written (${systemReason(error)})`,
      { cause: error },
    )
  }
}

import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../base/errors.ts'
import { ImportError } from './errors.ts'

/**
 * Makes a folder of its own below `TMPDIR`, else `/tmp`, that nobody else may enter; the caller removes it. Its name begins with `prefix`. Rejects with
 * `no-temporary-folder`.
 */
export async function makeTemporaryFolder(prefix: string): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), prefix))
  } catch (error) {
    throw new ImportError(
      'no-temporary-folder',
      `no temporary folder can be made in ${tmpdir()}: set TMPDIR to a folder that can be written (${messageOf(error)})`,
      { cause: error },
    )
  }
}

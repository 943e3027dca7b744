import { access, constants } from 'node:fs/promises'
import { makeFolder } from '../base/make-folder.ts'
import { systemReason } from '../base/system-reason.ts'
import { CliError } from './errors.ts'

/** Makes the cache folder if it is not there; refuses one that cannot be written to, before anything depends on it. */
export async function prepareCacheFolder(path: string): Promise<void> {
  try {
    makeFolder(path)
    await access(path, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new CliError(
      'usage',
      `the cache folder ${path} cannot be used: ${systemReason(error)}: choose another --cache-dir`,
      {
        cause: error,
      },
    )
  }
}

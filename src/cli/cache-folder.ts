import { access, constants, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../base/errors.ts'
import { systemReason } from '../base/system-reason.ts'
import { CliError } from './errors.ts'

/** Makes the cache folder if it is not there; refuses one that cannot be written to, before anything depends on it. */
export async function prepareCacheFolder(path: string): Promise<void> {
  try {
    await makeFolder(path)
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

/** Step by step: mkdir of Node.js with `recursive` never ends where a file system says that a folder in a folder is missing, as /proc does. */
async function makeFolder(path: string): Promise<void> {
  try {
    await access(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || path === '/') throw error
    await makeFolder(dirname(path))
    await mkdir(path, { mode: 0o700 }).catch((failure: unknown) => {
      if (codeOf(failure) !== 'EEXIST') throw failure
    })
  }
}

import type { Destination } from '../destination/parse-destination.ts'
import { StoreError } from '../store/errors.ts'

/** Who may write to a repository's own folder, and not to the one around it, does not expect to be asked for that. */
export function withFolderAdvice(error: unknown, directory: Destination): unknown {
  if (directory.kind !== 'directory' || !(error instanceof StoreError) || error.code !== 'access-denied')
    return error
  return new StoreError(
    error.code,
    `${error.message}: the backup directory is the folder around the repository, ${directory.path}, and must be writable; name a repository in a folder of your own`,
    { cause: error },
  )
}

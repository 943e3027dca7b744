import { codeOf, messageOf } from '../base/errors.ts'
import { ChangeError } from '../snapshot/errors.ts'

/** SQLite's own for a disk without room: for a change (SQLITE_FULL), and for the memory that it shares with others (SQLITE_IOERR_SHMSIZE). */
const fullCodes: ReadonlySet<unknown> = new Set([13, 4874])

/** The error that whoever writes is told, for one of the files or databases of the state folder; others stay as they are. */
export function stagingFault(error: unknown): unknown {
  const code = codeOf(error)
  if (
    code === 'ENOSPC' ||
    code === 'EDQUOT' ||
    fullCodes.has((error as { errcode?: unknown } | undefined)?.errcode)
  )
    return new ChangeError('staging-full', `the disk of the state folder is full: ${messageOf(error)}`, {
      cause: error,
    })
  return error
}

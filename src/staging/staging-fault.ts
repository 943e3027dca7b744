import { codeOf, messageOf } from '../base/errors.ts'
import { ChangeError } from '../snapshot/errors.ts'

/** SQLite's own for a disk without room: for a change (SQLITE_FULL), and for the memory that it shares with others (SQLITE_IOERR_SHMSIZE). */
const fullCodes: ReadonlySet<unknown> = new Set([13, 4874])

/** What a file or a database of the state folder fails with, for who wanted to change a file of the mount; what is no such fault stays as it is. */
export function stagingFault(error: unknown): unknown {
  const code = codeOf(error)
  if (
    code === 'ENOSPC' ||
    code === 'EDQUOT' ||
    fullCodes.has((error as { errcode?: unknown } | null)?.errcode)
  )
    return new ChangeError('staging-full', 'the disk of the state folder is full', { cause: error })
  if (code === 'EFBIG') return new ChangeError('too-large', messageOf(error), { cause: error })
  if (code === 'no-koffi' || code === 'ENOTSUP')
    return new ChangeError('not-possible', messageOf(error), { cause: error })
  if (code === 'ERR_SQLITE_ERROR' || /^(E[A-Z\d]+|errno-\d+)$/.test(code ?? ''))
    return new ChangeError('staging-failed', `the state folder: ${messageOf(error)}`, { cause: error })
  return error
}

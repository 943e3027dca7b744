import { codeOf, messageOf } from '../base/errors.ts'
import { ChangeError } from '../snapshot/errors.ts'

/** What a file of the staging folder fails with, for who wanted to change a file of the mount. */
export function stagingFault(error: unknown): ChangeError {
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new ChangeError('staging-full', 'the disk of the state folder is full', { cause: error })
  if (code === 'EFBIG') return new ChangeError('too-large', messageOf(error), { cause: error })
  if (code === 'no-koffi' || code === 'ENOTSUP')
    return new ChangeError('not-possible', messageOf(error), { cause: error })
  return new ChangeError('staging-failed', `the state folder: ${messageOf(error)}`, { cause: error })
}

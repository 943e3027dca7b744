import { codeOf, messageOf } from './errors.ts'

/** What the system's codes mean, for those that people meet. */
const words: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'this is not permitted',
  ENOTDIR: 'a part of the path is a file and no folder',
  EISDIR: 'it is a folder and no file',
  EEXIST: 'it exists already',
  ELOOP: 'its symbolic links go in a circle',
  ENAMETOOLONG: 'a name in the path is too long',
  EROFS: 'the file system can only be read',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of disk space is used up',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open on this system',
  EIO: 'the disk has an error',
  ENOTCONN: 'what was mounted there is gone',
  ESTALE: 'what was mounted there is gone',
  ETXTBSY: 'it is a program that runs',
}

/** Why a call to the system failed, in plain words and without the path: for messages that say it. Of other errors, their text. */
export function systemReason(error: unknown): string {
  const known = words[codeOf(error) ?? '']
  if (known !== undefined && isOfSystem(error)) return known
  // As Node.js puts them together: `EBUSY: resource busy or locked, open '/path'`.
  return messageOf(error).replace(/^E[A-Z0-9]+: (.+?), \w+(?: '.*)?$/s, '$1')
}

/** The same, with the path that it happened at: for messages that do not say it. */
export function systemReasonAt(error: unknown): string {
  const path = isOfSystem(error) ? error.path : undefined
  return path === undefined ? systemReason(error) : `${path}: ${systemReason(error)}`
}

function isOfSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

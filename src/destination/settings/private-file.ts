import { closeSync, fstatSync, openSync, readFileSync, type Stats } from 'node:fs'
import { messageOf } from '../../base/errors.ts'
import { DestinationError } from '../errors.ts'

export interface ReadFile {
  readonly text: string
  readonly stats: Stats
}

/** A file and what the system says of that very file. Throws as the system does. */
export function readWithStats(path: string): ReadFile {
  const descriptor = openSync(path, 'r')
  try {
    return { stats: fstatSync(descriptor), text: readFileSync(descriptor, 'utf8') }
  } finally {
    closeSync(descriptor)
  }
}

export function unreadable(path: string, cause: unknown): DestinationError {
  return new DestinationError('bad-settings', `${path}: cannot be read: ${messageOf(cause)}`, { cause })
}

/**
 * Why a file of settings or keys is refused; undefined when all is well. Goes on from its path, and ends with the command that puts it right. One
 * without keys may have some tomorrow.
 */
export function whyNotPrivate(
  path: string,
  { uid, mode }: Pick<Stats, 'uid' | 'mode'>,
  ownUid: number,
): string | undefined {
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  if (uid !== 0 && uid !== ownUid) return `belongs to another user (uid ${uid}): chown ${ownUid} ${path}`
  if ((mode & 0o022) !== 0) return `can be written by others (mode ${octal}): chmod 600 ${path}`
  if ((mode & 0o077) !== 0) return `can be read by others (mode ${octal}): chmod 600 ${path}`
  return undefined
}

import { linkSync } from 'node:fs'
import { codeOf } from '../base/errors.ts'
import { renameat2 } from '../base/libc.ts'
import { StoreError } from './errors.ts'

/** What link(2) answers on file systems that have no links: vfat, exFAT, CIFS and others. */
const linkless = new Set(['EPERM', 'ENOTSUP', 'ENOSYS'])

/**
 * Gives a file its name in one step, unless there is something of that name: then throws `exists`. The old name may stay. `makeLink` is link(2).
 */
export function moveNew(from: string, to: string, makeLink = linkSync): void {
  try {
    makeLink(from, to)
  } catch (error) {
    const code = codeOf(error) ?? ''
    if (code !== 'EEXIST' && !linkless.has(code)) throw error
    if (code === 'EEXIST' || !renameNew(from, to))
      throw new StoreError('exists', `${to} exists already`, { cause: error })
  }
}

function renameNew(from: string, to: string): boolean {
  try {
    return renameat2(Buffer.from(from), Buffer.from(to))
  } catch (error) {
    const code = codeOf(error)
    if (code === 'no-koffi')
      throw new StoreError(
        'invalid',
        `the file system of ${to} has no links, and npm package koffi is missing`,
        {
          cause: error,
        },
      )
    if (code !== 'EINVAL' && code !== 'ENOSYS') throw error
    throw new StoreError('invalid', `the file system of ${to} cannot keep a second writer away`, {
      cause: error,
    })
  }
}

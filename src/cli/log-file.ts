import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codeOf } from '../base/errors.ts'
import { systemReasonAt } from '../base/system-reason.ts'
import { CliError } from './errors.ts'

/** One log for each canonical mountpoint: `/mnt/backups` logs to `mnt-backups.log`, `/mnt-backups` to `mnt%2dbackups.log`. */
export function logFileOf(mountpoint: string, folder: string): string {
  const name = mountpoint.slice(1).replaceAll(/[%-]/g, encoded).replaceAll('/', '-').slice(-200)
  return join(folder, `${name}.log`)
}

function encoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16)}`
}

/** Throws `usage` unless the folder of a log that somebody has named is there: to make what may be a slip would hide the log. */
export async function requireLogFolder(file: string): Promise<void> {
  const folder = dirname(file)
  const stats = await stat(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw new CliError('usage', `cannot write the log: ${systemReasonAt(error)}; choose another --log-file`, {
      cause: error,
    })
  })
  if (stats?.isDirectory() !== true)
    throw new CliError(
      'usage',
      `there is no folder ${folder} for the log: make it, or choose another --log-file`,
    )
}

import { join } from 'node:path'

/** One log for each canonical mountpoint: `/mnt/backups` logs to `mnt-backups.log`, `/mnt-backups` to `mnt%2dbackups.log`. */
export function logFileOf(mountpoint: string, folder: string): string {
  const name = mountpoint.slice(1).replaceAll(/[%-]/g, encoded).replaceAll('/', '-').slice(-200)
  return join(folder, `${name}.log`)
}

function encoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16)}`
}

import { fstatSync } from 'node:fs'
import { CliError } from './errors.ts'

/** Device number of /dev/fuse: major 10, minor 229 (Documentation/admin-guide/devices.txt of the kernel). */
const fuseDevice = (10 << 8) | 229

/** Throws `usage` unless descriptor `fd` is an open /dev/fuse: any other number may be one that Node.js itself uses. */
export function requireFuseDevice(fd: number): void {
  if (isFuseDevice(fd)) return
  throw new CliError(
    'usage',
    `--fuse-fd ${fd} is no open /dev/fuse: give the number under which it was handed to jbfs`,
  )
}

function isFuseDevice(fd: number): boolean {
  try {
    const stats = fstatSync(fd)
    return stats.isCharacterDevice() && stats.rdev === fuseDevice
  } catch {
    return false
  }
}

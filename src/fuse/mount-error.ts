import { JbfsError } from '../base/errors.ts'

/**
 * `busy` something still uses the mount · `refused` the system would not mount, or unmount, for the reason given · `no-fuse` there is
 * no /dev/fuse, no right to it, or no program to mount with.
 */
export type MountErrorCode = 'busy' | 'refused' | 'no-fuse'

/** What a program has complained of on standard error, as one line. */
export function complaintOf(stderr: Buffer | string): string {
  return String(stderr)
    .trim()
    .replaceAll(/\s*\n\s*/g, ' · ')
}

export class MountError extends JbfsError<MountErrorCode> {
  override readonly name = 'MountError'
}

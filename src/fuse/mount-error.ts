import { JbfsError } from '../base/errors.ts'

/** `busy` something still uses the mount · `refused` the system would not mount, or unmount, for the reason given. */
export type MountErrorCode = 'busy' | 'refused'

export class MountError extends JbfsError<MountErrorCode> {
  override readonly name = 'MountError'
}

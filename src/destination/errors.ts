import { JbfsError } from '../base/errors.ts'

/**
 * `bad-destination` what the user typed names no destination, or an option of it has a wrong value · `bad-settings` a settings file or a
 * file of keys is wrong, or cannot be read; its message has a line for each problem · `read-only-destination` the settings say that
 * nothing is written there · `owned` the backup directory belongs to another server · `in-use` another process of this server writes
 * there · `lease-lost` the right to write has run out, or was taken · `bad-owner` what says whose directory it is cannot be understood ·
 * `bad-state` the state folder cannot be used.
 */
export type DestinationErrorCode =
  | 'bad-destination'
  | 'bad-settings'
  | 'read-only-destination'
  | 'owned'
  | 'in-use'
  | 'lease-lost'
  | 'bad-owner'
  | 'bad-state'

export class DestinationError extends JbfsError<DestinationErrorCode> {
  override readonly name = 'DestinationError'
}

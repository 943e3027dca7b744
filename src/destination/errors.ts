import { JbfsError } from '../base/errors.ts'

/**
 * `bad-destination` what the user typed names no destination, or an option of it has a wrong value · `bad-settings` a settings file or a
 * file of keys is wrong, or cannot be read; its message has a line for each problem · `read-only-destination` the settings say that
 * nothing is written there.
 */
export type DestinationErrorCode = 'bad-destination' | 'bad-settings' | 'read-only-destination'

export class DestinationError extends JbfsError<DestinationErrorCode> {
  override readonly name = 'DestinationError'
}

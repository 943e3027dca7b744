import { JbfsError } from '../base/errors.ts'

/** `bad-destination` what the user typed names no destination, or an option of it has a wrong value. */
export type DestinationErrorCode = 'bad-destination'

export class DestinationError extends JbfsError<DestinationErrorCode> {
  override readonly name = 'DestinationError'
}

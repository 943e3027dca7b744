import { JbfsError } from '../base/errors.ts'

/**
 * `usage` the command line is wrong · `bad-mountpoint` nothing can be mounted there · `not-mounted` jbfs has nothing mounted there ·
 * `still-running` the daemon of an unmounted mountpoint does not end · `demo-failed` a step of the demo did not do what it shows ·
 * `nothing-there` a folder, repository or snapshot that is asked for is not there · `test-failed` a destination cannot be used ·
 * `not-published` what was written at a mount is not all in the store · `interrupted` by Ctrl-C · `terminated` by SIGTERM or SIGHUP · `output-closed` nobody reads the output any more ·
 * `output-failed` it cannot be written.
 */
export type CliErrorCode =
  | 'usage'
  | 'bad-mountpoint'
  | 'not-mounted'
  | 'still-running'
  | 'demo-failed'
  | 'nothing-there'
  | 'test-failed'
  | 'not-published'
  | 'interrupted'
  | 'terminated'
  | 'output-closed'
  | 'output-failed'

export class CliError extends JbfsError<CliErrorCode> {
  override readonly name = 'CliError'
}

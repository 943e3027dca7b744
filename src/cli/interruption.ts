import { endBy, onSignals } from '../base/signals.ts'
import { CliError } from './errors.ts'
import { outputFailure } from './output.ts'

export interface Interruption extends Disposable {
  /** Aborts with a `CliError` on the first SIGINT, SIGTERM or SIGHUP, or when the output fails. */
  readonly signal: AbortSignal
}

/** For commands that clean up when they are interrupted. A second signal ends the process as usual. */
export function interruption(): Interruption {
  const controller = new AbortController()
  const listening = onSignals(['SIGINT', 'SIGTERM', 'SIGHUP'], (signal) => {
    if (controller.signal.aborted) endBy(signal)
    controller.abort(
      signal === 'SIGINT'
        ? new CliError('interrupted', 'interrupted')
        : new CliError('terminated', `terminated by ${signal}`),
    )
  })
  const onOutputFailure = (): void => controller.abort(outputFailure.reason)
  outputFailure.addEventListener('abort', onOutputFailure, { once: true })
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      listening[Symbol.dispose]()
      outputFailure.removeEventListener('abort', onOutputFailure)
    },
  }
}

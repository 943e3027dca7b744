import { CliError } from './errors.ts'
import { outputFailure } from './output.ts'

export interface Interruption extends Disposable {
  /** Aborts with a `CliError` on the first SIGINT, SIGTERM or SIGHUP, or when the output fails. */
  readonly signal: AbortSignal
}

/** For commands that clean up when they are interrupted. A second signal of the same kind ends the process as usual. */
export function interruption(): Interruption {
  const controller = new AbortController()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const onSignal = (signal: NodeJS.Signals): void => {
    process.off(signal, onSignal)
    controller.abort(
      signal === 'SIGINT'
        ? new CliError('interrupted', 'interrupted')
        : new CliError('terminated', `terminated by ${signal}`),
    )
  }
  const onOutputFailure = (): void => controller.abort(outputFailure.reason)
  for (const signal of signals) process.on(signal, onSignal)
  outputFailure.addEventListener('abort', onOutputFailure, { once: true })
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, onSignal)
      outputFailure.removeEventListener('abort', onOutputFailure)
    },
  }
}

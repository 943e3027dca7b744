import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Abortable } from '../base/abort.ts'
import { onlyCompileCache } from '../base/compile-cache.ts'
import { messageOf } from '../base/errors.ts'
import { workerUrl } from '../base/worker-url.ts'
import { ForeignError, type ForeignErrorCode, foreignErrorCodes } from './errors.ts'
import type { Materialised, MaterialiseOptions } from './materialise.ts'

export type MaterialiseAnswer =
  | { readonly rows: number }
  | { readonly done: Materialised }
  | { readonly code: string; readonly message: string }

export interface ElsewhereOptions extends Abortable {
  /** Told of the rows that were read so far. */
  readonly onRows?: ((rows: number) => void) | undefined
}

/** As `materialise`, in a process of its own, without any environment, so without keys. Killed when `signal` aborts. */
export function materialiseElsewhere(
  options: MaterialiseOptions,
  { onRows = () => {}, signal }: ElsewhereOptions,
): Promise<Materialised> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const child = fork(fileURLToPath(workerUrl('./materialise-process', import.meta.url)), {
      env: onlyCompileCache(),
      // Rows are short-lived: with the 16 MiB of a default they only take memory.
      execArgv: ['--max-semi-space-size=4'],
      stdio: 'ignore',
      serialization: 'advanced',
    })
    // By the end of the channel it ends, and its children with it; SIGKILL would leave those.
    const stop = (): void => void (child.connected && child.disconnect())
    const settle = (settled: () => void): void => {
      signal?.removeEventListener('abort', onAbort)
      stop()
      settled()
    }
    const onAbort = (): void => settle(() => reject(signal?.reason))
    const fail = (code: string, message: string): void =>
      settle(() => reject(new ForeignError(knownCode(code), message)))
    signal?.addEventListener('abort', onAbort, { once: true })
    child.on('message', (message) => {
      const answer = message as MaterialiseAnswer
      if ('rows' in answer) onRows(answer.rows)
      else if ('done' in answer) settle(() => resolve(answer.done))
      else fail(answer.code, answer.message)
    })
    // Comes after the last message.
    child.on('disconnect', () => fail('bad-database', 'the process that makes an index of it has failed'))
    child.on('error', (error) => fail('bad-database', `no index can be made of it (${messageOf(error)})`))
    child.send(options)
  })
}

/** What the child says of itself may be anything that Node.js throws. */
function knownCode(code: string): ForeignErrorCode {
  return foreignErrorCodes.find((known) => known === code) ?? 'bad-database'
}

import { Worker } from 'node:worker_threads'
import type { Abortable } from '../base/abort.ts'
import { codeOf, messageOf } from '../base/errors.ts'
import { workerUrl } from '../base/worker-url.ts'
import { ForeignError } from './errors.ts'
import type { LoadAnswer } from './load-json-worker.ts'

/** MiB of the thread's own heap: a document takes ten times its length there, twice. */
const heap = 2048

/** Makes an SQLite database at `to` of the JSON document at `from`, in a thread with a heap of its own. Rejects with `ForeignError`. */
export async function loadJson(from: string, to: string, { signal }: Abortable = {}): Promise<void> {
  signal?.throwIfAborted()
  const worker = new Worker(workerUrl('./load-json-worker', import.meta.url), {
    workerData: { from, to },
    resourceLimits: { maxOldGenerationSizeMb: heap },
    env: {},
  })
  const { promise, resolve, reject } = Promise.withResolvers<LoadAnswer>()
  const onAbort = (): void => reject(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  worker.on('message', resolve)
  worker.on('error', (error) =>
    reject(
      codeOf(error) === 'ERR_WORKER_OUT_OF_MEMORY'
        ? new ForeignError('unpack-limit', 'it takes too much memory', { cause: error })
        : new ForeignError('bad-database', messageOf(error), { cause: error }),
    ),
  )
  try {
    const failed = await promise
    if (failed !== undefined) throw new ForeignError('bad-database', failed.message)
  } finally {
    signal?.removeEventListener('abort', onAbort)
    await worker.terminate()
  }
}

import type { Abortable } from '../base/abort.ts'
import { StoreError } from '../store/errors.ts'
import type { ObjectReader } from '../store/object-store.ts'
import { type ExpectedObject, type Verdict, verifyObject } from './verify-object.ts'

export interface ReadOptions<T extends ExpectedObject> extends Abortable {
  /** Objects read at a time: each has a piece of it in memory, or all of it up to 1 MiB. */
  readonly concurrency: number
  readonly onBytes: (bytes: number) => void
  readonly onVerdict: (object: T, verdict: Verdict) => void
}

/**
 * Reads objects and compares their SHA-256. Rejects with a `StoreError` when the store gives nothing any more: one object that cannot be read is a finding about it,
 * twice as many in a row as are read at a time are one about the store.
 */
export async function readObjects<T extends ExpectedObject>(
  reader: ObjectReader,
  objects: Iterable<T>,
  { concurrency, onBytes, onVerdict, signal }: ReadOptions<T>,
): Promise<void> {
  const failure = new AbortController()
  const either = signal === undefined ? failure.signal : AbortSignal.any([signal, failure.signal])
  let failuresInRow = 0
  const work = async (queue: Iterator<T>): Promise<void> => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      const object = next.value
      const verdict = await verifyObject(reader, object, { signal: either, onBytes })
      failuresInRow = verdict instanceof StoreError && verdict.retryable ? failuresInRow + 1 : 0
      if (failuresInRow >= 2 * concurrency) throw verdict
      onVerdict(object, verdict)
    }
  }
  const queue = objects[Symbol.iterator]()
  const workers = Array.from({ length: concurrency }, async () => {
    try {
      await work(queue)
    } catch (error) {
      failure.abort(error)
      throw error
    }
  })
  await Promise.allSettled(workers)
  either.throwIfAborted()
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Abortable } from './abort.ts'

/** Steps between two turns: some milliseconds of the work that is split so. */
const stepsATurn = 10_000

/**
 * The same items; after each ten thousand of them the event loop has a turn, so that signals are heard, and leases renewed, beside work that awaits nothing.
 */
export async function* inTurns<T>(
  items: Iterable<T>,
  { signal }: Abortable = {},
): AsyncIterable<readonly T[]> {
  let batch: T[] = []
  for (const item of items) {
    batch.push(item)
    if (batch.length < stepsATurn) continue
    yield batch
    batch = []
    await nextTurn()
    signal?.throwIfAborted()
  }
  if (batch.length > 0) yield batch
}

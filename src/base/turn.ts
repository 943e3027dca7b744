import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Abortable } from './abort.ts'
import { batchesOf } from './batches.ts'

/** Steps between two turns: some milliseconds of the work that is split so. */
const stepsATurn = 10_000

/**
 * The same items; after each ten thousand of them the event loop has a turn, so that signals are heard, and leases renewed, beside work that awaits nothing.
 */
export async function* inTurns<T>(
  items: Iterable<T>,
  { signal }: Abortable = {},
): AsyncIterable<readonly T[]> {
  for (const batch of batchesOf(items, stepsATurn)) {
    yield batch
    await nextTurn()
    signal?.throwIfAborted()
  }
}

import { open } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../../src/base/errors.ts'
import type { History } from './history.ts'
import { readState } from './read-state.ts'

/** Milliseconds between two looks. */
const pause = 50
/** Milliseconds after which a reader who looks every second has noticed a publish, on a machine that is busy. */
const lag = 15_000

export interface Watcher extends AsyncDisposable {
  /** Looks that found a whole state. */
  readonly looks: number
  /** Different states that were seen. */
  readonly states: number
  /** What was wrong, if anything: no state was whole, or an error came. */
  readonly faults: readonly string[]
  /** Resolves when a look that begins from now on has seen state `number`, or a later one; rejects after a while. */
  sees(number: number): Promise<void>
}

/** Looks at a published snapshot again and again, as somebody on another server does. `mayFail`: whether the store is away just now. */
export function watchPublished(snapshot: string, history: History, mayFail: () => boolean): Watcher {
  const faults: string[] = []
  let [looks, states, last, latest, isClosed] = [0, 0, 0, 0, false]
  const look = async (): Promise<void> => {
    const began = performance.now()
    const excused = mayFail()
    try {
      // All paths below lead to the state that this name stands for now, whatever is published meanwhile.
      await using top = await open(snapshot, 'r')
      const state = await readState(`/proc/self/fd/${top.fd}`)
      const number = history.numberOf(state, Math.max(last, excused ? 0 : history.leastAt(began, lag)))
      looks++
      if (number > last) states++
      last = number
      latest = history.latestOf(state)
    } catch (error) {
      if (!excused && !mayFail()) faults.push(messageOf(error))
    }
  }
  const looking = (async () => {
    for (; !isClosed; await delay(pause)) await look()
  })()
  return {
    get looks() {
      return looks
    },
    get states() {
      return states
    },
    faults,
    async sees(number) {
      for (const end = performance.now() + 2 * lag; latest < number; await delay(pause))
        if (performance.now() > end)
          throw new Error(`readers see state ${latest}, and ${number} is published`)
    },
    async [Symbol.asyncDispose]() {
      isClosed = true
      await looking
    },
  }
}

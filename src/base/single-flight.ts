import { type Abortable, orAborted } from './abort.ts'

interface Flight<T> {
  readonly promise: Promise<T>
  readonly controller: AbortController
  waiters: number
}

/**
 * Joins concurrent calls for the same key into one. A waiter that aborts leaves alone; the work itself is aborted when
 * the last waiter has left.
 */
export class SingleFlight<K, T> {
  readonly #flights = new Map<K, Flight<T>>()

  has(key: K): boolean {
    return this.#flights.has(key)
  }

  async run(
    key: K,
    work: (options: { signal: AbortSignal }) => Promise<T>,
    { signal }: Abortable = {},
  ): Promise<T> {
    signal?.throwIfAborted()
    const flight = this.#flights.get(key) ?? this.#start(key, work)
    flight.waiters++
    try {
      return await orAborted(flight.promise, signal)
    } finally {
      flight.waiters--
      if (flight.waiters === 0 && this.#flights.get(key) === flight) {
        // Aborted work may take a while to notice; a newcomer must not be given its failure.
        this.#flights.delete(key)
        flight.controller.abort(new DOMException('nobody waits for it any more', 'AbortError'))
      }
    }
  }

  #start(key: K, work: (options: { signal: AbortSignal }) => Promise<T>): Flight<T> {
    const controller = new AbortController()
    const promise = work({ signal: controller.signal })
    const flight: Flight<T> = { promise, controller, waiters: 0 }
    this.#flights.set(key, flight)
    const landed = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    }
    promise.then(landed, landed)
    return flight
  }
}

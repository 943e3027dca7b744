import type { Abortable } from './abort.ts'

/** At most `limit` holders at a time; waiters are served in order. Release by `using` or by disposing the permit. */
export class Semaphore {
  readonly #limit: number
  #held = 0
  readonly #waiting: (() => void)[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Resolves with a permit. Rejects with the signal's reason if it aborts first; the place in the queue is given up. */
  async acquire({ signal }: Abortable = {}): Promise<Disposable> {
    signal?.throwIfAborted()
    if (this.#held < this.#limit) {
      this.#held++
      return this.#permit()
    }
    return new Promise((resolve, reject) => {
      const grant = (): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve(this.#permit())
      }
      const onAbort = (): void => {
        const place = this.#waiting.indexOf(grant)
        if (place !== -1) this.#waiting.splice(place, 1)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(grant)
    })
  }

  #permit(): Disposable {
    let released = false
    return {
      [Symbol.dispose]: () => {
        if (released) return
        released = true
        const next = this.#waiting.shift()
        // A hand-over keeps the count: the place never becomes free in between.
        if (next) next()
        else this.#held--
      },
    }
  }
}

import type { Abortable } from './abort.ts'

export interface AcquireOptions extends Abortable {
  /** How many places the permit takes; all of them, if it is more. */
  readonly weight?: number | undefined
}

/**
 * At most `limit` places are taken at a time; waiters are served in order, so that a heavy one is not overtaken for ever. Release by `using` or by disposing
 * the permit.
 */
export class Semaphore {
  readonly #limit: number
  #held = 0
  readonly #waiting: { readonly weight: number; readonly grant: () => void }[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Resolves with a permit. Rejects with the signal's reason if it aborts first; the place in the queue is given up. */
  async acquire({ signal, weight: wanted = 1 }: AcquireOptions = {}): Promise<Disposable> {
    signal?.throwIfAborted()
    const weight = Math.min(wanted, this.#limit)
    if (this.#waiting.length === 0 && this.#fits(weight)) return this.#permit(weight)
    return new Promise((resolve, reject) => {
      const waiter = {
        weight,
        grant: (): void => {
          signal?.removeEventListener('abort', onAbort)
          resolve(this.#permit(weight))
        },
      }
      const onAbort = (): void => {
        const place = this.#waiting.indexOf(waiter)
        if (place !== -1) this.#waiting.splice(place, 1)
        reject(signal?.reason)
        // Lighter ones may have waited behind it.
        this.#serve()
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiter)
    })
  }

  /** A permit, if there is one at once. */
  tryAcquire(weight: number): Disposable | undefined {
    return this.#waiting.length === 0 && this.#fits(weight) ? this.#permit(weight) : undefined
  }

  #fits(weight: number): boolean {
    return this.#held + weight <= this.#limit
  }

  #permit(weight: number): Disposable {
    this.#held += weight
    let released = false
    return {
      [Symbol.dispose]: () => {
        if (released) return
        released = true
        this.#held -= weight
        this.#serve()
      },
    }
  }

  #serve(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && this.#fits(next.weight);
      next = this.#waiting[0]
    ) {
      this.#waiting.shift()
      next.grant()
    }
  }
}

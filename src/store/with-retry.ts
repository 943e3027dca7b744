import { setTimeout as delay } from 'node:timers/promises'
import { StoreError } from './errors.ts'
import type { ObjectReader, ObjectStore } from './object-store.ts'
import type { StoreMetrics } from './with-metrics.ts'

export interface RetryPolicy {
  /** Tries after the first one. */
  readonly retries: number
  /** Upper bound of the first wait, milliseconds; doubled each time. */
  readonly baseDelay: number
  /** Upper bound of any wait, milliseconds. */
  readonly largestDelay: number
}

export const defaultRetryPolicy: RetryPolicy = Object.freeze({
  retries: 3,
  baseDelay: 100,
  largestDelay: 5000,
})

/** Milliseconds before try `attempt` (1 is the first repetition): full jitter, so that many clients do not come back together. */
export function retryDelay(
  attempt: number,
  { baseDelay, largestDelay }: RetryPolicy,
  random = Math.random(),
): number {
  return random * Math.min(largestDelay, baseDelay * 2 ** (attempt - 1))
}

/** The same store, trying again what may succeed later. A conditional put is not repeated: nobody knows whether it was done. */
export function withRetry<S extends ObjectReader | ObjectStore>(
  store: S,
  policy: RetryPolicy = defaultRetryPolicy,
  metrics?: StoreMetrics,
): S {
  const retrying = async <T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof StoreError) || !error.retryable || attempt > policy.retries) throw error
        await delay(retryDelay(attempt, policy), undefined, { signal }).catch(() => signal?.throwIfAborted())
        if (metrics) metrics.retries++
      }
    }
  }
  const wrapped: ObjectReader & Partial<ObjectStore> = {
    description: store.description,
    get: (key, options) => retrying(() => store.get(key, options), options?.signal),
    getStream: (key, options) => retrying(() => store.getStream(key, options), options?.signal),
    head: (key, options) => retrying(() => store.head(key, options), options?.signal),
    async *list(prefix, options) {
      // A listing goes on behind what was already given out: begun anew, it is skipped as far.
      let given = 0
      for (let attempt = 1; ; attempt++) {
        try {
          let page = 0
          for await (const found of store.list(prefix, options)) {
            if (page++ < given) continue
            given++
            yield found
          }
          return
        } catch (error) {
          if (!(error instanceof StoreError) || !error.retryable || attempt > policy.retries) throw error
          await delay(retryDelay(attempt, policy), undefined, { signal: options?.signal }).catch(() =>
            options?.signal?.throwIfAborted(),
          )
          if (metrics) metrics.retries++
        }
      }
    },
  }
  if ('put' in store) {
    wrapped.put = (key, body, options) => {
      const isConditional = options?.ifNoneMatch !== undefined || options?.ifMatch !== undefined
      return isConditional
        ? store.put(key, body, options)
        : retrying(() => store.put(key, body, options), options?.signal)
    }
    wrapped.delete = (keys, options) => retrying(() => store.delete(keys, options), options?.signal)
  }
  return wrapped as S
}

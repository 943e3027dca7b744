import { setTimeout as delay } from 'node:timers/promises'
import type { Abortable } from '../base/abort.ts'
import { StoreError } from './errors.ts'
import {
  eachPartRequest,
  isBehind,
  type ListPage,
  type ObjectReader,
  type ObjectStore,
} from './object-store.ts'
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

export interface RetryOptions extends Abortable {
  readonly policy?: RetryPolicy | undefined
  readonly metrics?: StoreMetrics | undefined
}

/** Does `work`, which may be done again, until it succeeds, fails for good or has been tried often enough. */
export async function retrying<T>(work: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      await pause(error, attempt, options)
    }
  }
}

/** The same store, trying again what may succeed later. A conditional put is not repeated: nobody knows whether it was done. */
export function withRetry<S extends ObjectReader | ObjectStore>(
  store: S,
  policy: RetryPolicy = defaultRetryPolicy,
  metrics?: StoreMetrics,
): S {
  const again = <T>(work: () => Promise<T>, options: Abortable | undefined): Promise<T> =>
    retrying(work, { policy, metrics, signal: options?.signal })
  const wrapped: ObjectReader = {
    description: store.description,
    get: (key, options) => again(() => store.get(key, options), options),
    getStream: (key, options) => again(() => store.getStream(key, options), options),
    head: (key, options) => again(() => store.head(key, options), options),
    async *list(prefix, options = {}) {
      let after = options.after
      for (let attempt = 1; ; attempt++) {
        try {
          for await (const page of store.list(prefix, { ...options, after })) {
            const last = lastOf(page)
            // A server that knows no `after` begins at the front each time: only what is new is progress.
            if (last !== undefined && (after === undefined || isBehind(last, after))) {
              after = last
              attempt = 1
            }
            yield page
          }
          return
        } catch (error) {
          await pause(error, attempt, { policy, metrics, signal: options.signal })
        }
      }
    },
  }
  if (!('put' in store)) return wrapped as S
  const writing: ObjectStore = {
    ...wrapped,
    put: (key, body, options) => {
      const isConditional = options?.ifNoneMatch !== undefined || options?.ifMatch !== undefined
      return isConditional
        ? store.put(key, body, options)
        : again(() => store.put(key, body, options), options)
    },
    parts: eachPartRequest(store.parts, (request, options) => again(() => request(options), options)),
    delete: (keys, options) => again(() => store.delete(keys, options), options),
  }
  return writing as S
}

/** Waits before the next try, or throws when there is none: `error`, or the reason of an abort. */
async function pause(error: unknown, attempt: number, options: RetryOptions): Promise<void> {
  const { policy = defaultRetryPolicy, metrics, signal } = options
  if (!(error instanceof StoreError) || !error.retryable || attempt > policy.retries) throw error
  await delay(retryDelay(attempt, policy), undefined, { signal }).catch(() => signal?.throwIfAborted())
  if (metrics) metrics.retries++
}

/** What of a page stands last in the order of bytes. */
function lastOf({ objects, prefixes }: ListPage): string | undefined {
  const key = objects.at(-1)?.key
  const prefix = prefixes.at(-1)
  if (key === undefined || prefix === undefined) return key ?? prefix
  return isBehind(prefix, key) ? prefix : key
}

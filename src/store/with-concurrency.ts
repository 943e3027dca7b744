import type { Abortable } from '../base/abort.ts'
import { Semaphore } from '../base/semaphore.ts'
import { eachPartRequest, type ObjectReader, type ObjectStore } from './object-store.ts'

/** The same store with at most `limit` requests under way; others wait their turn. Listings and streams hold no place. */
export function withConcurrency<S extends ObjectReader | ObjectStore>(store: S, limit: number): S {
  const places = new Semaphore(limit)
  const inTurn = async <T>(work: () => Promise<T>, options: Abortable | undefined): Promise<T> => {
    using _place = await places.acquire({ signal: options?.signal })
    return await work()
  }
  const bounded: ObjectReader = {
    description: store.description,
    get: (key, options) => inTurn(() => store.get(key, options), options),
    getStream: (key, options) => inTurn(() => store.getStream(key, options), options),
    head: (key, options) => inTurn(() => store.head(key, options), options),
    list: (prefix, options) => store.list(prefix, options),
  }
  if (!('put' in store)) return bounded as S
  const writing: ObjectStore = {
    ...bounded,
    put: (key, body, options) => inTurn(() => store.put(key, body, options), options),
    parts: eachPartRequest(store.parts, (request, options) => inTurn(() => request(options), options)),
    delete: (keys, options) => inTurn(() => store.delete(keys, options), options),
  }
  return writing as S
}

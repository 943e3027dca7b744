import { StoreError } from '../../src/store/errors.ts'
import { eachPartRequest, type ObjectStore } from '../../src/store/object-store.ts'

export interface MortalStore {
  readonly store: ObjectStore
  /** What is on its way may still arrive, but whoever has the store never hears of it, nor of what is asked from now on. */
  die(): void
  /** What was asked fails, so that who waits for it can be disposed of. */
  bury(): void
}

/** A store as one process has it. */
export function mortal(store: ObjectStore): MortalStore {
  const grave = Promise.withResolvers<never>()
  grave.promise.catch(() => {})
  let isDead = false
  const alive = async <T>(ask: () => Promise<T>): Promise<T> => {
    if (isDead) return grave.promise
    try {
      return await ask()
    } finally {
      if (isDead) await grave.promise
    }
  }
  return {
    store: {
      description: store.description,
      get: (key, options) => alive(() => store.get(key, options)),
      getStream: (key, options) => alive(() => store.getStream(key, options)),
      head: (key, options) => alive(() => store.head(key, options)),
      list: (prefix, options) => store.list(prefix, options),
      put: (key, body, options) => alive(() => store.put(key, body, options)),
      parts: eachPartRequest(store.parts, (request, options) => alive(() => request(options))),
      delete: (keys, options) => alive(() => store.delete(keys, options)),
    },
    die() {
      isDead = true
    },
    bury: () => grave.reject(new StoreError('unavailable', 'its process is dead')),
  }
}

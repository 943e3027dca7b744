import type { ObjectReader } from './object-store.ts'

/** Only what reads: whoever holds the result cannot write, whatever store it was made of. */
export function readOnly(store: ObjectReader): ObjectReader {
  return {
    description: store.description,
    get: (key, options) => store.get(key, options),
    getStream: (key, options) => store.getStream(key, options),
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
  }
}

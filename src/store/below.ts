import {
  type ListPage,
  type ObjectKey,
  type ObjectMetadata,
  type ObjectStore,
  objectKey,
} from './object-store.ts'

/** The part of a store below a prefix, '' or ending in a slash, as a store of its own. */
export function below(store: ObjectStore, prefix: string): ObjectStore {
  if (prefix === '') return store
  const whole = (key: ObjectKey): ObjectKey => objectKey(prefix + key)
  const cut = <T extends ObjectMetadata>(found: T): T => ({
    ...found,
    key: objectKey(found.key.slice(prefix.length)),
  })
  return {
    description: `${store.description}/${prefix.slice(0, -1)}`,
    async get(key, options) {
      const found = await store.get(whole(key), options)
      return found && cut(found)
    },
    async getStream(key, options) {
      const found = await store.getStream(whole(key), options)
      return found && cut(found)
    },
    async head(key, options) {
      const found = await store.head(whole(key), options)
      return found && cut(found)
    },
    async *list(from, { after, ...options } = {}): AsyncIterable<ListPage> {
      const pages = store.list(prefix + from, {
        ...options,
        after: after === undefined ? undefined : prefix + after,
      })
      for await (const { objects, prefixes } of pages)
        yield { objects: objects.map(cut), prefixes: prefixes.map((name) => name.slice(prefix.length)) }
    },
    async put(key, body, options) {
      return cut(await store.put(whole(key), body, options))
    },
    parts: {
      begin: (key, options) => store.parts.begin(whole(key), options),
      put: (key, upload, part, options) => store.parts.put(whole(key), upload, part, options),
      complete: async (key, upload, parts, options) =>
        cut(await store.parts.complete(whole(key), upload, parts, options)),
      abandon: (key, upload, options) => store.parts.abandon(whole(key), upload, options),
    },
    delete: (keys, options) => store.delete(keys.map(whole), options),
  }
}

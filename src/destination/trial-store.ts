import { randomUUID } from 'node:crypto'
import { eachPartRequest, type ObjectKey, type ObjectStore, objectKey } from '../store/object-store.ts'
import { readOnly } from '../store/read-only.ts'

const prefix = '.jbfs-test-'

/** A key that nobody else uses, and that no reader of a backup directory takes for anything. */
export function trialKey(): ObjectKey {
  return objectKey(prefix + randomUUID())
}

/** A store that writes no other keys than those of `trialKey`: it is used without a lease. */
export function trialStore(store: ObjectStore): ObjectStore {
  const check = (key: ObjectKey): void => {
    if (!key.startsWith(prefix)) throw new TypeError(`${key} is nothing to try`)
  }
  return {
    ...readOnly(store),
    async put(key, body, options) {
      check(key)
      return await store.put(key, body, options)
    },
    parts: eachPartRequest(store.parts, async () => {
      throw new TypeError('nothing is tried in parts')
    }),
    async delete(keys, options) {
      keys.forEach(check)
      await store.delete(keys, options)
    },
  }
}

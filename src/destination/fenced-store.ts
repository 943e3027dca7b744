import type { Abortable } from '../base/abort.ts'
import { eachPartRequest, type ObjectStore } from '../store/object-store.ts'
import { readOnly } from '../store/read-only.ts'
import type { Lease } from './lease.ts'

/** The same store, which writes only while the lease holds: what is under way when it is lost is aborted, what comes later refused with `lease-lost`. */
export function fencedStore(store: ObjectStore, lease: Lease): ObjectStore {
  const fenced = <O extends Abortable>(options: O): O => {
    lease.check()
    const { signal } = options
    return {
      ...options,
      signal: signal === undefined ? lease.signal : AbortSignal.any([signal, lease.signal]),
    }
  }
  return {
    ...readOnly(store),
    put: async (key, body, options = {}) => store.put(key, body, fenced(options)),
    parts: eachPartRequest(store.parts, async (request, options) => request(fenced(options))),
    delete: async (keys, options = {}) => store.delete(keys, fenced(options)),
  }
}

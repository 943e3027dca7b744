import { LRUCache } from 'lru-cache'
import type { Logger } from '../base/log.ts'
import { blobName } from './blob-name.ts'
import type { Blob } from './blob-source.ts'
import type { CacheCounters } from './cache-metrics.ts'
import { CacheError } from './errors.ts'

/** So many are remembered; of one more the log may speak twice. */
const remembered = 1024

/** Blobs of which the store has other bytes than the index says. The log names each once, however often it is read. */
export class CorruptBlobs {
  readonly #store: string
  readonly #counters: CacheCounters
  readonly #logger: Logger
  readonly #names = new LRUCache<string, true>({ max: remembered })

  /** `store`: its description. */
  constructor(store: string, counters: CacheCounters, logger: Logger) {
    this.#store = store
    this.#counters = counters
    this.#logger = logger
  }

  has(blob: Blob): boolean {
    return this.#names.size > 0 && this.#names.has(blobName(blob))
  }

  /** The error for who wanted to read it. */
  report(blob: Blob): CacheError {
    this.#counters.corrupt++
    const text = `${blob.key} in ${this.#store} does not have the bytes its index says`
    if (!this.has(blob)) this.#logger.error({ object: blob.key, size: blob.size }, text)
    this.#names.set(blobName(blob), true)
    return new CacheError('corrupt', text)
  }

  /** Its bytes have turned out right after all. */
  clear(blob: Blob): void {
    this.#names.delete(blobName(blob))
  }
}

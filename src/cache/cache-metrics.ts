/** What `jbfs status` shows of the cache, since the mount was made. */
export interface CacheMetrics {
  /** Reads answered at once. */
  readonly memoryHits: number
  /** Objects and blocks taken from disk. */
  readonly diskHits: number
  /** Requests sent to the store, ahead of readers too. */
  readonly misses: number
  /** Objects fetched before they were read. */
  readonly prefetched: number
  /** Of those, dropped without having been read. */
  readonly prefetchWasted: number
  /** Reads that were refused because the store has other bytes than the index says. */
  readonly corrupt: number
  /** Memory of what is held, without what is on its way. */
  readonly bytesHeld: number
  /** Times that the disk cache could not be read or written; each only makes a request to the store necessary. */
  readonly diskFaults: number
  /** What the last of them was. */
  readonly diskFault?: string | undefined
}

/** Counted where it happens. */
export type CacheCounters = {
  -readonly [name in Exclude<keyof CacheMetrics, 'bytesHeld' | 'diskFaults' | 'diskFault'>]: number
}

export function createCounters(): CacheCounters {
  return { memoryHits: 0, diskHits: 0, misses: 0, prefetched: 0, prefetchWasted: 0, corrupt: 0 }
}

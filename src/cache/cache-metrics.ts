/** What `jbfs status` shows of the cache, since the mount was made. */
export interface CacheMetrics {
  memoryHits: number
  diskHits: number
  misses: number
  /** Objects fetched before they were read. */
  prefetched: number
  /** Of those, dropped without having been read. */
  prefetchWasted: number
  corrupt: number
  readonly bytesHeld: number
}

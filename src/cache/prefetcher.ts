import { blobName } from './blob-name.ts'
import type { Blob } from './blob-source.ts'
import type { CacheCounters } from './cache-metrics.ts'
import type { MemoryTier, Room } from './memory-tier.ts'
import type { WholeBlobs } from './whole-blobs.ts'

export interface PrefetcherOptions {
  readonly memory: MemoryTier
  readonly blobs: WholeBlobs
  readonly counters: CacheCounters
  /** Larger ones are not fetched ahead. Bytes. */
  readonly largest: number
  /** Requests under way at a time. */
  readonly concurrency: number
  /** Accepted and not under way yet, at most. */
  readonly queueLength: number
}

interface Wish {
  readonly blob: Blob
  readonly room: Room
}

/** Fetches small objects that will soon be read, in the order in which they are asked for, into room reserved when they are accepted. */
export class Prefetcher {
  readonly #options: PrefetcherOptions
  /** By name, in the order of the wishes. */
  readonly #queue = new Map<string, Wish>()
  #underWay = 0

  constructor(options: PrefetcherOptions) {
    this.#options = options
  }

  /** How many from the first on are held, on their way, or accepted. */
  prefetch(blobs: readonly Blob[]): number {
    let accepted = 0
    for (const blob of blobs) {
      if (!this.#accept(blob)) break
      accepted++
    }
    this.#start()
    return accepted
  }

  close(): void {
    for (const { room } of this.#queue.values()) room[Symbol.dispose]()
    this.#queue.clear()
  }

  #accept(blob: Blob): boolean {
    const { memory, blobs, largest, queueLength } = this.#options
    const name = blobName(blob)
    if (blob.size === 0 || blobs.has(blob) || this.#queue.has(name)) return true
    if (blob.size > largest || this.#queue.size >= queueLength) return false
    const room = memory.reservePrefetch(blob.size)
    if (room === undefined) return false
    this.#queue.set(name, { blob, room })
    return true
  }

  #start(): void {
    const { blobs, concurrency, counters } = this.#options
    for (const [name, wish] of this.#queue) {
      if (this.#underWay >= concurrency) return
      this.#queue.delete(name)
      // Its reader has overtaken us.
      if (blobs.has(wish.blob)) {
        wish.room[Symbol.dispose]()
        continue
      }
      this.#underWay++
      counters.prefetched++
      blobs
        .prefetch(wish.blob, wish.room)
        // Its reader will try again, and is told what is wrong.
        .catch(() => {})
        .finally(() => {
          this.#underWay--
          this.#start()
        })
    }
  }
}

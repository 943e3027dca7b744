import { LRUCache } from 'lru-cache'
import type { Abortable } from '../base/abort.ts'

/**
 * Why something is held, in the order in which it is evicted: `behind` a reader of a large object who has passed it, and whose kernel has it in its
 * page cache · `read` · `window` ahead of such a reader · `prefetched` a whole object that nobody has read yet.
 */
export const ranks = ['behind', 'read', 'window', 'prefetched'] as const
export type Rank = (typeof ranks)[number]

export interface Holding {
  readonly bytes: Buffer
  /** Called when it has been evicted. */
  readonly onEvicted?: (() => void) | undefined
}

/** Room for bytes that are on their way. Dispose when they do not come. */
export interface Reservation extends Disposable {
  /** The bytes have come, and are held in place of the reservation. */
  fill(name: string, holding: Holding): void
}

export interface MemoryTierOptions {
  /** Bound on what is held and what is on its way, bytes. */
  readonly maxBytes: number
  /** Called when something prefetched is evicted that nobody has read. */
  readonly onWasted: () => void
  /** Milliseconds, from anywhere. */
  readonly now: () => number
}

export const memoryTierDefaults = Object.freeze({
  /** What an entry costs beside its bytes: measured 900, in ArrayBuffer, Buffer, key and list. */
  entryOverhead: 1024,
  /** Two windows of the largest size, beside which as much again is left for what was prefetched or read. */
  windowShare: 1 / 2,
  /** So that what is fetched ahead never pushes itself out. */
  prefetchedShare: 1 / 4,
  /** Milliseconds. A copy that was broken off must not keep the room of the next one for ever. */
  unreadLifetime: 30_000,
})

interface Entry extends Holding {
  /** Prefetched, and not read since. */
  unread: boolean
  since: number
}

interface Waiter {
  readonly bytes: number
  grant(): void
}

/** Bytes in memory by name, within a bound that counts those on their way too: room is reserved before they are fetched. */
export class MemoryTier {
  readonly #options: MemoryTierOptions
  readonly #held: Readonly<Record<Rank, LRUCache<string, Entry>>>
  readonly #coming: Record<Rank, number> = { behind: 0, read: 0, window: 0, prefetched: 0 }
  readonly #waiting: Waiter[] = []

  constructor(options: MemoryTierOptions) {
    this.#options = options
    const pool = (): LRUCache<string, Entry> =>
      new LRUCache({
        maxSize: Number.MAX_SAFE_INTEGER,
        sizeCalculation: ({ bytes }) => bytes.length + memoryTierDefaults.entryOverhead,
      })
    this.#held = { behind: pool(), read: pool(), window: pool(), prefetched: pool() }
  }

  get bytesHeld(): number {
    return ranks.reduce((sum, rank) => sum + this.#held[rank].calculatedSize, 0)
  }

  get bytesComing(): number {
    return ranks.reduce((sum, rank) => sum + this.#coming[rank], 0)
  }

  has(name: string): boolean {
    return this.#rankOf(name) !== undefined
  }

  /** For a reader: from now on it is held as `rank`. */
  read(name: string, rank: Rank): Buffer | undefined {
    const from = this.#rankOf(name)
    if (from === undefined) return undefined
    const entry = this.#held[from].get(name) as Entry
    entry.unread = false
    entry.since = this.#options.now()
    if (from !== rank) {
      this.#held[from].delete(name)
      this.#held[rank].set(name, entry)
    }
    return entry.bytes
  }

  delete(name: string): void {
    for (const rank of ranks) this.#held[rank].delete(name)
  }

  clear(): void {
    for (const rank of ranks) this.#held[rank].clear()
  }

  /**
   * Room for what a reader waits for: evicts what it must, and waits while all of the memory is taken by what is on its way. Rejects with
   * the signal's reason.
   */
  async reserve(rank: Rank, bytes: number, { signal }: Abortable = {}): Promise<Reservation> {
    signal?.throwIfAborted()
    if (this.#waiting.length > 0 || !this.#fits(bytes)) return this.#turn(rank, bytes, signal)
    return this.#reserve(rank, bytes)
  }

  /** Room for what nobody waits for yet: undefined when its share is used up or the memory is short. */
  reserveAhead(rank: 'window' | 'prefetched', bytes: number): Reservation | undefined {
    const { maxBytes } = this.#options
    this.#forgetAbandoned(rank)
    const share = rank === 'window' ? memoryTierDefaults.windowShare : memoryTierDefaults.prefetchedShare
    const used = this.#held[rank].calculatedSize + this.#coming[rank]
    if (used + bytes + memoryTierDefaults.entryOverhead > maxBytes * share) return undefined
    const unread = this.#held.window.calculatedSize + this.#held.prefetched.calculatedSize
    if (this.#waiting.length > 0 || unread + this.bytesComing + bytes > maxBytes) return undefined
    return this.#reserve(rank, bytes)
  }

  #rankOf(name: string): Rank | undefined {
    for (const rank of ranks) if (this.#held[rank].has(name)) return rank
    return undefined
  }

  /** Something larger than all of the memory comes alone. */
  #fits(bytes: number): boolean {
    const coming = this.bytesComing
    return coming === 0 || coming + bytes <= this.#options.maxBytes
  }

  #turn(rank: Rank, bytes: number, signal: AbortSignal | undefined): Promise<Reservation> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(signal?.reason)
        this.#admit()
      }
      const waiter: Waiter = {
        bytes,
        grant: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve(this.#reserve(rank, bytes))
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiter)
    })
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift()
      next.grant()
    }
  }

  #reserve(rank: Rank, bytes: number): Reservation {
    this.#coming[rank] += bytes
    this.#evict()
    let open = true
    const close = (): void => {
      if (!open) return
      open = false
      this.#coming[rank] -= bytes
    }
    return {
      fill: (name, holding) => {
        if (!open) return
        close()
        this.delete(name)
        this.#held[rank].set(name, { ...holding, unread: rank === 'prefetched', since: this.#options.now() })
        this.#evict()
        this.#admit()
      },
      [Symbol.dispose]: () => {
        close()
        this.#admit()
      },
    }
  }

  #evict(): void {
    let surplus = this.bytesHeld + this.bytesComing - this.#options.maxBytes
    for (const rank of ranks) {
      const held = this.#held[rank]
      while (surplus > 0) {
        const before = held.calculatedSize
        const entry = held.pop()
        if (entry === undefined) break
        surplus -= before - held.calculatedSize
        if (entry.unread) this.#options.onWasted()
        entry.onEvicted?.()
      }
    }
  }

  #forgetAbandoned(rank: 'window' | 'prefetched'): void {
    const held = this.#held[rank]
    const before = this.#options.now() - memoryTierDefaults.unreadLifetime
    for (;;) {
      const name = held.rkeys().next().value
      const entry = name === undefined ? undefined : held.peek(name)
      if (name === undefined || entry === undefined || entry.since > before) return
      held.delete(name)
      this.#held.behind.set(name, entry)
    }
  }
}

import { LRUCache } from 'lru-cache'
import type { Abortable } from '../base/abort.ts'

/** Room for bytes that are on their way. Dispose when they do not come. */
export interface Reservation extends Disposable {
  /** The bytes have come, and are held in place of the reservation. */
  fill(name: string, bytes: Buffer): void
}

export interface MemoryTierOptions {
  /** Bound on what is held and what is on its way, bytes. May become smaller in the course of time. */
  readonly maxBytes: () => number
  /** Bound on what is prefetched and unread, or on its way to be. */
  readonly prefetchedBytes: number
  /** Called when something prefetched is evicted that nobody has read. */
  readonly onWasted: () => void
  /** Milliseconds, from anywhere. */
  readonly now: () => number
}

export const memoryTierDefaults = Object.freeze({
  /** What an entry costs beside its bytes: measured 900, in ArrayBuffer, Buffer, key and list. */
  entryOverhead: 1024,
  /** Milliseconds. A copy that was broken off must not keep the room of the next one for ever. */
  unreadLifetime: 30_000,
})

type Kind = 'read' | 'prefetched'

interface Entry {
  readonly bytes: Buffer
  /** Prefetched, and not read since. */
  readonly isUnread: boolean
  readonly since: number
}

interface Waiter {
  readonly bytes: number
  grant(): void
}

/**
 * Whole objects in memory by name, within a bound that counts those on their way too: room is reserved before they are fetched. What has been read is evicted
 * first, the longest unused before others; what is prefetched only for somebody who waits.
 */
export class MemoryTier {
  readonly #options: MemoryTierOptions
  readonly #held: Readonly<Record<Kind, LRUCache<string, Entry>>>
  readonly #coming: Record<Kind, number> = { read: 0, prefetched: 0 }
  readonly #waiting: Waiter[] = []

  constructor(options: MemoryTierOptions) {
    this.#options = options
    const pool = (): LRUCache<string, Entry> =>
      new LRUCache({
        maxSize: Number.MAX_SAFE_INTEGER,
        sizeCalculation: ({ bytes }) => bytes.length + memoryTierDefaults.entryOverhead,
      })
    this.#held = { read: pool(), prefetched: pool() }
  }

  get bytesHeld(): number {
    return this.#held.read.calculatedSize + this.#held.prefetched.calculatedSize
  }

  has(name: string): boolean {
    return this.#held.read.has(name) || this.#held.prefetched.has(name)
  }

  /** For a reader. */
  read(name: string): Buffer | undefined {
    const read = this.#held.read.get(name)
    if (read !== undefined) return read.bytes
    const prefetched = this.#held.prefetched.get(name)
    if (prefetched !== undefined) {
      this.#held.prefetched.delete(name)
      this.#held.read.set(name, { ...prefetched, isUnread: false })
    }
    return prefetched?.bytes
  }

  clear(): void {
    this.#held.read.clear()
    this.#held.prefetched.clear()
  }

  /**
   * Room for what a reader waits for: evicts what it must, and waits while all of the memory is taken by what is on its way. Rejects with
   * the signal's reason.
   */
  async reserve(bytes: number, { signal }: Abortable = {}): Promise<Reservation> {
    signal?.throwIfAborted()
    if (this.#waiting.length > 0 || !this.#fits(bytes)) return this.#turn(bytes, signal)
    return this.#reserve('read', bytes)
  }

  /** Room for what nobody waits for yet: undefined when its share is used up or memory is short. */
  reservePrefetch(bytes: number): Reservation | undefined {
    this.#forgetAbandoned()
    const { maxBytes, prefetchedBytes } = this.#options
    const unread = this.#held.prefetched.calculatedSize
    const size = bytes + memoryTierDefaults.entryOverhead
    if (unread + this.#coming.prefetched + size > prefetchedBytes) return undefined
    if (this.#waiting.length > 0 || unread + this.#bytesComing + size > maxBytes()) return undefined
    return this.#reserve('prefetched', size)
  }

  get #bytesComing(): number {
    return this.#coming.read + this.#coming.prefetched
  }

  /** Something larger than all of the memory comes alone. */
  #fits(bytes: number): boolean {
    return this.#bytesComing === 0 || this.#bytesComing + bytes <= this.#options.maxBytes()
  }

  #turn(bytes: number, signal: AbortSignal | undefined): Promise<Reservation> {
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
          resolve(this.#reserve('read', bytes))
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

  #reserve(kind: Kind, size: number): Reservation {
    this.#coming[kind] += size
    this.trim()
    let isOpen = true
    const close = (): void => {
      if (isOpen) this.#coming[kind] -= size
      isOpen = false
    }
    return {
      fill: (name, bytes) => {
        close()
        this.#held[kind].set(name, { bytes, isUnread: kind === 'prefetched', since: this.#options.now() })
        this.trim()
        this.#admit()
      },
      [Symbol.dispose]: () => {
        close()
        this.#admit()
      },
    }
  }

  /** Keeps to the bound, after it has become smaller too. */
  trim(): void {
    while (this.bytesHeld + this.#bytesComing > this.#options.maxBytes()) {
      const entry = this.#held.read.pop() ?? this.#held.prefetched.pop()
      if (entry === undefined) return
      if (entry.isUnread) this.#options.onWasted()
    }
  }

  #forgetAbandoned(): void {
    const { read, prefetched } = this.#held
    const before = this.#options.now() - memoryTierDefaults.unreadLifetime
    for (;;) {
      const name = prefetched.rkeys().next().value
      const entry = name === undefined ? undefined : prefetched.peek(name)
      if (name === undefined || entry === undefined || entry.since > before) return
      prefetched.delete(name)
      read.set(name, entry)
    }
  }
}

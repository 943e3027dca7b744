import { setImmediate as nextTurn } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { Abortable } from '../base/abort.ts'
import { Semaphore } from '../base/semaphore.ts'
import type { BlockArena, Slab } from './block-arena.ts'

/**
 * `behind`: given to its reader in full, whose kernel has it in its page cache now, and so the first to be evicted · `ahead`: of a reader who has
 * not read all of it.
 */
export type Place = 'behind' | 'ahead'

export interface Tenant {
  /** Blocks. */
  readonly count: number
  /** Its slab is to be given back, as soon as nobody uses it. */
  evict(): void
  /** What it has ahead of a reader has waited for so long that nobody will come for it. */
  abandon?(): void
}

export const blockMemoryDefaults = Object.freeze({
  /** Part of the arena that may be behind readers: others of the same blob may be near. */
  behindShare: 1 / 8,
  /** Part of the arena that may be taken by what nobody waits for; the rest is for those who wait. */
  aheadShare: 7 / 8,
  /** Milliseconds. What a reader who went away had fetched ahead must not keep the room for ever. */
  unreadLifetime: 30_000,
  /** Requests under way at a time for which there is no room. */
  withoutRoom: 8,
  /** Evictions before that is given in to: slabs that others have evicted may lie too far apart. */
  evictions: 4,
})

/** Who has which part of the arena, and who must leave. */
export class BlockMemory {
  readonly #arena: BlockArena
  readonly #now: () => number
  /** By tenant, since when it is there; the longest unused first. */
  readonly #held: Readonly<Record<Place, LRUCache<Tenant, number>>>
  readonly #withoutRoom = new Semaphore(blockMemoryDefaults.withoutRoom)

  constructor(arena: BlockArena, now: () => number) {
    this.#arena = arena
    this.#now = now
    const pool = (): LRUCache<Tenant, number> =>
      new LRUCache({ maxSize: Number.MAX_SAFE_INTEGER, sizeCalculation: (_since, { count }) => count })
    this.#held = { behind: pool(), ahead: pool() }
  }

  get blocksHeld(): number {
    return this.#held.behind.calculatedSize + this.#held.ahead.calculatedSize
  }

  /** Blocks that so many bytes take. */
  blocksOf(bytes: number): number {
    return Math.ceil(bytes / this.#arena.blockBytes)
  }

  /** For somebody who waits; undefined when all is in use: then it is fetched without being held, by `turnWithoutRoom`. */
  async reserve(count: number): Promise<Slab | undefined> {
    if (!this.#arena.couldHold(count)) return undefined
    let slab = this.#arena.take(count)
    for (let i = 0; slab === undefined && i < blockMemoryDefaults.evictions; i++) {
      const isAny = this.blocksHeld > 0
      if (!this.#evict('behind', count)) this.#evict('ahead', count)
      await nextTurn()
      slab = this.#arena.take(count)
      if (!isAny) break
    }
    return slab
  }

  /** To be held while something is on its way for which there is no room, so that this too is bounded. Whoever has it must not wait for other memory. */
  turnWithoutRoom(options: Abortable): Promise<Disposable> {
    return this.#withoutRoom.acquire(options)
  }

  /** For nobody in particular: undefined when what is ahead has its share, or nothing else is left to be evicted. */
  reserveAhead(count: number): Slab | undefined {
    this.forgetAbandoned()
    const { blocks, blocksFree } = this.#arena
    const inUse = blocks - blocksFree - this.#held.behind.calculatedSize
    return inUse + count > blocks * blockMemoryDefaults.aheadShare ? undefined : this.#arena.take(count)
  }

  hold(tenant: Tenant, place: Place): void {
    this.forget(tenant)
    this.#held[place].set(tenant, this.#now())
    // Early, because what is evicted can be used only in the next turn.
    const { behindShare } = blockMemoryDefaults
    this.#evict('behind', this.#held.behind.calculatedSize - this.#arena.blocks * behindShare)
  }

  forget(tenant: Tenant): void {
    this.#held.behind.delete(tenant)
    this.#held.ahead.delete(tenant)
  }

  give(slab: Slab): void {
    this.#arena.give(slab)
  }

  /** What nobody has come for makes room. */
  forgetAbandoned(): void {
    const { behind, ahead } = this.#held
    const before = this.#now() - blockMemoryDefaults.unreadLifetime
    for (;;) {
      const tenant = ahead.rkeys().next().value
      const since = tenant && ahead.peek(tenant)
      if (tenant === undefined || since === undefined || since > before) return
      ahead.delete(tenant)
      behind.set(tenant, since)
      tenant.abandon?.()
    }
  }

  /** Whether so many blocks could be evicted. */
  #evict(place: Place, count: number): boolean {
    const held = this.#held[place]
    for (let missing = count; missing > 0; ) {
      const tenant = held.rkeys().next().value
      if (tenant === undefined) return false
      held.delete(tenant)
      missing -= tenant.count
      tenant.evict()
    }
    return true
  }
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
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
}

export const blockMemoryDefaults = Object.freeze({
  /** Part of the arena that may be behind readers: others of the same blob may be near. */
  behindShare: 1 / 8,
  /** Part of the arena that may be taken by what nobody waits for; the rest is for those who wait. */
  aheadShare: 7 / 8,
  /** Milliseconds. What a reader who went away had fetched ahead must not keep the room for ever. */
  unreadLifetime: 30_000,
})

/** Who has which part of the arena, and who must leave. */
export class BlockMemory {
  readonly #arena: BlockArena
  readonly #now: () => number
  /** By tenant, since when it is there; the longest unused first. */
  readonly #held: Readonly<Record<Place, LRUCache<Tenant, number>>>

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

  /** For somebody who waits; undefined when all is in use: then it is fetched without being held. */
  async reserve(count: number): Promise<Slab | undefined> {
    const slab = this.#arena.take(count)
    if (slab !== undefined) return slab
    if (!this.#evict('behind', count)) this.#evict('ahead', count)
    await nextTurn()
    return this.#arena.take(count)
  }

  /** For nobody in particular: undefined when what is ahead has its share, or nothing else is left to be evicted. */
  reserveAhead(count: number): Slab | undefined {
    this.#forgetAbandoned()
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

  #forgetAbandoned(): void {
    const { behind, ahead } = this.#held
    const before = this.#now() - blockMemoryDefaults.unreadLifetime
    for (;;) {
      const tenant = ahead.rkeys().next().value
      const since = tenant && ahead.peek(tenant)
      if (tenant === undefined || since === undefined || since > before) return
      ahead.delete(tenant)
      behind.set(tenant, since)
    }
  }
}

import { type Abortable, orAborted } from '../base/abort.ts'
import type { ByteRange } from '../store/object-store.ts'
import type { Slab } from './block-arena.ts'
import type { BlockMemory, Tenant } from './block-memory.ts'

/** Room for one object, or a range of one, from before it is fetched. Dispose when its bytes have been given on, or do not come. */
export interface Room extends Disposable {
  /** Where the bytes are to be. They stay what they are until the room is disposed of, and then until the event loop's next turn. */
  readonly bytes: Buffer
  /** The bytes are there and right: from now on they are held under `name`. */
  fill(name: string): void
  /** The bytes stay what they are until `work`, which never rejects, is done. */
  keepFor(work: Promise<void>): void
}

export interface MemoryTierOptions {
  readonly blocks: BlockMemory
  /** Bound on what is prefetched and unread, or on its way to be. Bytes. */
  readonly prefetchedBytes: number
  /** Called when something prefetched is evicted that nobody has read. */
  readonly onWasted: () => void
}

/** An entry costs some 900 bytes of heap beside its own: of the smallest objects no more are held than add a quarter to the memory. */
const leastBytesOfEntry = 4096

type Kind = 'read' | 'prefetched'

interface Held {
  readonly bytes: Buffer
  readonly shelf: Shelf
  /** Bytes that have not been given to any reader. */
  unread: number
}

/** A slab in which objects lie one behind another. */
interface Shelf extends Tenant {
  readonly kind: Kind
  readonly slab: Slab
  readonly names: Set<string>
  /** Bytes that are given out, from the start on. */
  used: number
  entries: number
  /** Bytes of its objects that no reader has been given, and of those on their way. */
  unread: number
  /** Rooms that are not disposed of, and work they are kept for: so long it cannot be evicted. */
  users: number
  isAbandoned: boolean
}

/**
 * Whole objects in memory by name. They are put one behind another into slabs of the arena, which are evicted as a whole, those first of which all has been
 * read: so memory is used again in the order in which it was filled, without garbage and without gaps.
 */
export class MemoryTier {
  readonly #options: MemoryTierOptions
  readonly #held = new Map<string, Held>()
  readonly #shelves = new Set<Shelf>()
  /** Where the next object goes. */
  readonly #open: Record<Kind, Shelf | undefined> = { read: undefined, prefetched: undefined }
  #opening: Promise<boolean> | undefined

  constructor(options: MemoryTierOptions) {
    this.#options = options
  }

  has(name: string): boolean {
    return this.#held.has(name)
  }

  /** All bytes of an object, of which a reader is now given `range`. They are lent: see `ReadOptions`. */
  read(name: string, range: ByteRange): Buffer | undefined {
    const held = this.#held.get(name)
    if (held === undefined) return undefined
    const { shelf } = held
    const delivered = Math.min(held.unread, range.length)
    held.unread -= delivered
    shelf.unread -= delivered
    shelf.isAbandoned = false
    this.#settle(shelf)
    return held.bytes
  }

  clear(): void {
    for (const shelf of this.#shelves) {
      if (shelf.users > 0) continue
      this.#options.blocks.forget(shelf)
      shelf.evict()
    }
  }

  /**
   * Room for what a reader waits for, made by evicting others. When all of the memory is in use it is fetched without being held, and waits for its turn. Rejects
   * with the signal's reason.
   */
  async reserve(bytes: number, { signal }: Abortable = {}): Promise<Room> {
    for (;;) {
      signal?.throwIfAborted()
      const room = this.#take('read', bytes)
      if (room !== undefined) return room
      // Of many who come at once only one opens the next shelf.
      this.#opening ??= this.#openShelf(bytes).finally(() => {
        this.#opening = undefined
      })
      if (!(await orAborted(this.#opening, signal))) return this.#unheld(bytes, signal)
    }
  }

  /** Room for what nobody waits for yet: undefined when its share is used up or memory is short. */
  reservePrefetch(bytes: number): Room | undefined {
    const { blocks, prefetchedBytes } = this.#options
    blocks.forgetAbandoned()
    if (this.#bytesAhead + bytes > prefetchedBytes) return undefined
    const room = this.#take('prefetched', bytes)
    if (room !== undefined) return room
    const slab = blocks.reserveAhead(blocks.blocksOf(bytes))
    if (slab === undefined) return undefined
    this.#addShelf('prefetched', slab)
    return this.#take('prefetched', bytes)
  }

  get #bytesAhead(): number {
    let sum = 0
    for (const { kind, isAbandoned, unread } of this.#shelves)
      if (kind === 'prefetched' && !isAbandoned) sum += unread
    return sum
  }

  /** False when all of the memory is in use. */
  async #openShelf(bytes: number): Promise<boolean> {
    const { blocks } = this.#options
    const slab = await blocks.reserve(blocks.blocksOf(bytes))
    if (slab !== undefined) this.#addShelf('read', slab)
    return slab !== undefined
  }

  #addShelf(kind: Kind, slab: Slab): void {
    const shelf: Shelf = {
      kind,
      slab,
      count: slab.count,
      names: new Set(),
      used: 0,
      entries: 0,
      unread: 0,
      users: 0,
      isAbandoned: false,
      evict: () => this.#drop(shelf),
      abandon: () => {
        shelf.isAbandoned = true
      },
    }
    this.#shelves.add(shelf)
    const before = this.#open[kind]
    this.#open[kind] = shelf
    if (before !== undefined) this.#settle(before)
  }

  /** undefined when the open shelf has no room for it. */
  #take(kind: Kind, length: number): Room | undefined {
    const shelf = this.#open[kind]
    if (shelf === undefined) return undefined
    const { slab } = shelf
    if (shelf.used + length > slab.bytes.length || shelf.entries * leastBytesOfEntry >= slab.bytes.length)
      return undefined
    const bytes = slab.bytes.subarray(shelf.used, shelf.used + length)
    shelf.used += length
    shelf.entries++
    shelf.unread += length
    const release = this.#use(shelf)
    let isHeld = false
    return {
      bytes,
      fill: (name) => {
        this.#remove(name)
        this.#held.set(name, { bytes, shelf, unread: length })
        shelf.names.add(name)
        isHeld = true
      },
      keepFor: (work) => void work.finally(this.#use(shelf)),
      [Symbol.dispose]: () => {
        if (!isHeld) shelf.unread -= length
        isHeld = true
        release()
      },
    }
  }

  async #unheld(length: number, signal: AbortSignal | undefined): Promise<Room> {
    const turn = await this.#options.blocks.turnWithoutRoom({ signal })
    return {
      bytes: Buffer.allocUnsafeSlow(length),
      fill: () => {},
      keepFor: () => {},
      [Symbol.dispose]: () => turn[Symbol.dispose](),
    }
  }

  #use(shelf: Shelf): () => void {
    shelf.users++
    this.#options.blocks.forget(shelf)
    let isDone = false
    return () => {
      if (isDone) return
      isDone = true
      shelf.users--
      this.#settle(shelf)
    }
  }

  /** Where a shelf that nobody uses stands among those that may be evicted. */
  #settle(shelf: Shelf): void {
    const { blocks } = this.#options
    if (shelf.users > 0 || !this.#shelves.has(shelf)) return
    if (shelf.names.size === 0) {
      blocks.forget(shelf)
      shelf.evict()
    } else blocks.hold(shelf, shelf.unread > 0 && !shelf.isAbandoned ? 'ahead' : 'behind')
  }

  #remove(name: string): void {
    const held = this.#held.get(name)
    if (held === undefined) return
    this.#held.delete(name)
    held.shelf.names.delete(name)
    held.shelf.unread -= held.unread
    this.#settle(held.shelf)
  }

  #drop(shelf: Shelf): void {
    this.#shelves.delete(shelf)
    if (this.#open[shelf.kind] === shelf) this.#open[shelf.kind] = undefined
    for (const name of shelf.names) {
      const held = this.#held.get(name)
      if (shelf.kind === 'prefetched' && held?.unread === held?.bytes.length) this.#options.onWasted()
      this.#held.delete(name)
    }
    this.#options.blocks.give(shelf.slab)
  }
}

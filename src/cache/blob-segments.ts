import type { Abortable } from '../base/abort.ts'
import { SingleFlight } from '../base/single-flight.ts'
import type { ByteRange } from '../store/object-store.ts'
import type { BlobFetcher } from './blob-fetcher.ts'
import type { Blob } from './blob-source.ts'
import type { Slab } from './block-arena.ts'
import type { BlockMemory, Tenant } from './block-memory.ts'
import type { CacheCounters } from './cache-metrics.ts'
import type { DiskTier } from './disk-tier.ts'

/** Adjacent blocks of a large blob that are fetched by one request, and held and evicted together. */
export interface Segment extends Tenant {
  readonly first: number
  readonly last: number
  readonly range: ByteRange
  /** Where the bytes are or will be; undefined before room was found for them, and when there was none. */
  slab: Slab | undefined
  /** From when they have come until they are evicted and nobody uses them any more. */
  bytes: Buffer | undefined
  isHeld: boolean
  /** Those for whom the bytes must stay what they are though they may have been evicted. */
  users: number
  /** Bytes given to readers so far. */
  delivered: number
}

export interface BlobSegmentsContext {
  readonly blockBytes: number
  readonly blocks: BlockMemory
  readonly disk: DiskTier | undefined
  readonly fetcher: BlobFetcher
  readonly counters: CacheCounters
  /** Of the blob, on disk; undefined to keep nothing there. */
  readonly diskName: string | undefined
}

/**
 * The blocks of one large blob that are held or on their way.
 *
 * Invariant: a segment is found under each of its blocks from when its request is sent until it fails, is evicted, or nobody waits for it.
 */
export class BlobSegments {
  readonly #blob: Blob
  readonly #context: BlobSegmentsContext
  readonly #byBlock = new Map<number, Segment>()
  readonly #flights = new SingleFlight<Segment, Buffer>()

  constructor(blob: Blob, context: BlobSegmentsContext) {
    this.#blob = blob
    this.#context = context
  }

  at(block: number): Segment | undefined {
    return this.#byBlock.get(block)
  }

  isOnDisk(block: number): boolean {
    const { disk } = this.#context
    const name = this.#nameOnDisk(block)
    return disk !== undefined && name !== undefined && disk.mayHave(name)
  }

  /** The stretches of blocks `first` … `last` that are neither held nor on their way, each to be brought at once. What is on disk stands alone. */
  missing(first: number, last: number): { first: number; last: number }[] {
    const stretches: { first: number; last: number }[] = []
    let canGrow = false
    for (let block = first; block <= last; block++) {
      const isMissing = !this.#byBlock.has(block)
      const isOnDisk = isMissing && this.isOnDisk(block)
      const stretch = stretches.at(-1)
      if (isMissing && !isOnDisk && canGrow && stretch) stretch.last = block
      else if (isMissing) stretches.push({ first: block, last: block })
      canGrow = isMissing && !isOnDisk
    }
    return stretches
  }

  /** Blocks of which none is held or on its way; asking for their `bytes` sends the request. `slab`: reserved for them already. */
  add(first: number, last: number, slab?: Slab): Segment {
    const { blockBytes } = this.#context
    const offset = first * blockBytes
    const length = Math.min(this.#blob.size, (last + 1) * blockBytes) - offset
    const segment: Segment = {
      first,
      last,
      count: last - first + 1,
      range: { offset, length },
      slab,
      bytes: undefined,
      isHeld: false,
      users: 0,
      delivered: 0,
      evict: () => {
        segment.isHeld = false
        this.#leave(segment)
        this.#vacate(segment)
      },
    }
    for (let block = first; block <= last; block++) this.#byBlock.set(block, segment)
    return segment
  }

  /** Its bytes, once they have come; to be asked for in the turn in which it was found or added. Rejects when the signal aborts; the request ends when nobody waits any more. */
  async bytes(segment: Segment, options: Abortable): Promise<Buffer> {
    return (
      segment.bytes ??
      (await this.#flights.run(segment, ({ signal }) => this.#load(segment, signal), options))
    )
  }

  /** Until it is released, its bytes stay what they are. */
  use(segment: Segment): void {
    segment.users++
  }

  release(segment: Segment): void {
    segment.users--
    this.#vacate(segment)
  }

  /** Forgets all; what is on its way is still given to those who wait. */
  clear(): void {
    for (const segment of new Set(this.#byBlock.values())) {
      this.#context.blocks.forget(segment)
      segment.evict()
    }
  }

  /** Forgets what is on disk too. */
  discard(): void {
    this.clear()
    const { disk, blockBytes } = this.#context
    for (let block = 0; disk !== undefined && block * blockBytes < this.#blob.size; block++) {
      const name = this.#nameOnDisk(block)
      // Even when nothing is known to be there: it may still be on its way.
      if (name !== undefined) disk.delete(name)
    }
  }

  /** Runs once for each segment: whoever finds it asks for its bytes in the same turn, and when all have left nobody finds it any more. */
  async #load(segment: Segment, signal: AbortSignal): Promise<Buffer> {
    const { blocks } = this.#context
    const onAbort = (): void => this.#leave(segment)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      segment.slab ??= await blocks.reserve(segment.count)
      using _turn = segment.slab === undefined ? await blocks.turnWithoutRoom({ signal }) : undefined
      const kept = await this.#fromDisk(segment)
      const bytes = inSlab(segment, kept ?? (await this.#fromStore(segment, signal)))
      segment.bytes = bytes
      if (kept === undefined) this.#keepOnDisk(segment, bytes)
      segment.isHeld = segment.slab !== undefined && this.#byBlock.get(segment.first) === segment
      if (segment.isHeld) blocks.hold(segment, 'ahead')
      else segment.evict()
      return bytes
    } catch (error) {
      this.#leave(segment)
      if (segment.slab !== undefined) blocks.give(segment.slab)
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  async #fromDisk({ first, last, range, slab }: Segment): Promise<Buffer | undefined> {
    const { disk, counters } = this.#context
    const name = this.#nameOnDisk(first)
    if (disk === undefined || name === undefined || first !== last) return undefined
    const bytes = await disk.get(name, range.length, slab?.bytes)
    if (bytes !== undefined) counters.diskHits++
    return bytes
  }

  #fromStore({ range, slab }: Segment, signal: AbortSignal): Promise<Buffer> {
    return this.#context.fetcher.range(this.#blob, range, { into: slab?.bytes, signal })
  }

  #keepOnDisk(segment: Segment, bytes: Buffer): void {
    const { disk, blockBytes } = this.#context
    for (let block = segment.first; block <= segment.last; block++) {
      const name = this.#nameOnDisk(block)
      if (disk === undefined || name === undefined) return
      const start = (block - segment.first) * blockBytes
      this.use(segment)
      disk.put(name, bytes.subarray(start, start + blockBytes)).then(() => this.release(segment))
    }
  }

  #nameOnDisk(block: number): string | undefined {
    const { diskName } = this.#context
    return diskName === undefined ? undefined : `${diskName} ${block}`
  }

  /** From now on nobody finds it. */
  #leave(segment: Segment): void {
    for (let block = segment.first; block <= segment.last; block++)
      if (this.#byBlock.get(block) === segment) this.#byBlock.delete(block)
  }

  #vacate(segment: Segment): void {
    const { bytes, slab, isHeld, users } = segment
    if (bytes === undefined || isHeld || users > 0) return
    segment.bytes = undefined
    segment.slab = undefined
    if (slab !== undefined) this.#context.blocks.give(slab)
  }
}

/** The bytes, moved into the segment's slab unless they have been put there. */
function inSlab({ slab }: Segment, bytes: Buffer): Buffer {
  if (slab === undefined || bytes.buffer === slab.bytes.buffer) return bytes
  bytes.copy(slab.bytes)
  return slab.bytes.subarray(0, bytes.length)
}

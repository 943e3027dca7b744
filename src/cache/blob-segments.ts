import type { Abortable } from '../base/abort.ts'
import { SingleFlight } from '../base/single-flight.ts'
import type { ByteRange } from '../store/object-store.ts'
import type { BlobFetcher } from './blob-fetcher.ts'
import type { Blob } from './blob-source.ts'
import type { CacheCounters } from './cache-metrics.ts'
import type { DiskTier } from './disk-tier.ts'
import type { MemoryTier, Reservation } from './memory-tier.ts'

/** Adjacent blocks of a large blob that are fetched by one request, and held and evicted together. */
export interface Segment {
  /** In memory; no other segment ever has it. */
  readonly name: string
  readonly first: number
  readonly last: number
  readonly range: ByteRange
  /** From when they have come until they are evicted. */
  bytes: Buffer | undefined
  /** Until its request is sent, if nobody waits for it. */
  room: Reservation | undefined
  /** Bytes given to readers so far. */
  delivered: number
}

export interface BlobSegmentsContext {
  readonly blockBytes: number
  readonly memory: MemoryTier
  readonly disk: DiskTier | undefined
  readonly fetcher: BlobFetcher
  readonly counters: CacheCounters
  /** Of the blob, on disk; undefined to keep nothing there. */
  readonly diskName: string | undefined
}

let created = 0

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

  /** Blocks of which none is held or on its way; their `arrival` starts the request. `room`: reserved for them already. */
  add(first: number, last: number, room?: Reservation): Segment {
    const { blockBytes } = this.#context
    const offset = first * blockBytes
    const length = Math.min(this.#blob.size, (last + 1) * blockBytes) - offset
    const name = `${this.#blob.key}#${created++}`
    const segment: Segment = {
      name,
      first,
      last,
      range: { offset, length },
      bytes: undefined,
      room,
      delivered: 0,
    }
    for (let block = first; block <= last; block++) this.#byBlock.set(block, segment)
    return segment
  }

  /** Its bytes, once they have come. Rejects when the signal aborts; the request ends when nobody waits any more. */
  arrival(segment: Segment, options: Abortable): Promise<Buffer> {
    return this.#flights.run(segment, ({ signal }) => this.#load(segment, signal), options)
  }

  /** Forgets all; what is on its way is still given to those who wait. */
  clear(): void {
    for (const segment of new Set(this.#byBlock.values())) this.#context.memory.delete(segment.name)
    this.#byBlock.clear()
  }

  /** Forgets what is on disk too. */
  discard(): void {
    this.clear()
    const { disk, blockBytes } = this.#context
    for (let block = 0; block * blockBytes < this.#blob.size; block++) {
      const name = this.#nameOnDisk(block)
      if (name !== undefined) disk?.delete(name)
    }
  }

  async #load(segment: Segment, signal: AbortSignal): Promise<Buffer> {
    const { memory } = this.#context
    const { room: reserved, range } = segment
    segment.room = undefined
    // At once, so that whoever comes after the last waiter has left does not join a dying request.
    const onAbort = (): void => this.#forget(segment)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      using room = reserved ?? (await memory.reserve('window', range.length, { signal }))
      const bytes = (await this.#fromDisk(segment)) ?? (await this.#fromStore(segment, signal))
      if (this.#byBlock.get(segment.first) === segment) {
        segment.bytes = bytes
        room.fill(segment.name, { bytes, onEvicted: () => this.#forget(segment) })
      }
      return bytes
    } catch (error) {
      this.#forget(segment)
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  async #fromDisk({ first, last, range }: Segment): Promise<Buffer | undefined> {
    const { disk, counters } = this.#context
    const name = this.#nameOnDisk(first)
    if (disk === undefined || name === undefined || first !== last) return undefined
    const bytes = await disk.get(name, range.length)
    if (bytes !== undefined) counters.diskHits++
    return bytes
  }

  async #fromStore({ first, last, range }: Segment, signal: AbortSignal): Promise<Buffer> {
    const { disk, fetcher, blockBytes } = this.#context
    const bytes = await fetcher.range(this.#blob, range, { signal })
    for (let block = first; block <= last; block++) {
      const name = this.#nameOnDisk(block)
      const start = (block - first) * blockBytes
      if (name !== undefined) disk?.put(name, bytes.subarray(start, start + blockBytes))
    }
    return bytes
  }

  #nameOnDisk(block: number): string | undefined {
    const { diskName } = this.#context
    return diskName === undefined ? undefined : `${diskName} ${block}`
  }

  #forget(segment: Segment): void {
    segment.bytes = undefined
    for (let block = segment.first; block <= segment.last; block++)
      if (this.#byBlock.get(block) === segment) this.#byBlock.delete(block)
  }
}

import type { ByteRange } from '../store/object-store.ts'

/**
 * What to fetch ahead of one reader of a large object. Pure arithmetic on offsets: `LargeBlobs` fetches what it says. The mount has no file handles, so
 * a reader is known by where it is expected to go on.
 */
export interface ReadaheadOptions {
  /** All requests begin and end on this grid, bytes. */
  readonly blockBytes: number
  /** Length of the window of a reader who is first seen to go on where it stopped. */
  readonly initial: number
  readonly largest: number
  /** The kernel sends its own read-ahead as several requests, in any order: so near to the expected place it is the same reader. */
  readonly tolerance: number
  /** Bytes of one request, at most. All requests are of a power of two of blocks, so that their memory fits others too. */
  readonly largestRequest: number
  /** Requests that a window is cut into, so that one is used up while the others are on their way. */
  readonly requestsPerWindow: number
}

export const readaheadDefaults: ReadaheadOptions = Object.freeze({
  /** What the kernel asks for in one READ. */
  blockBytes: 1 << 20,
  initial: 1 << 20,
  /** At 30 ms a request this carries 2 GB/s. */
  largest: 64 << 20,
  /** The kernel's read-ahead that a mount sets. */
  tolerance: 16 << 20,
  /** Longer ones are no faster, and the reader waits for the end of each. */
  largestRequest: 4 << 20,
  requestsPerWindow: 16,
})

export class ReadaheadWindow {
  readonly #options: ReadaheadOptions
  #next: number
  /** Offset of the furthest read, from which the window is measured. */
  #position: number
  /** 0: these may be random reads, and nothing is fetched that was not asked for. */
  #length: number
  /** All before it has been asked for. On the grid. */
  #frontier: number
  /** A reader who waits here or beyond has used up all that the window held when it last grew. */
  #growAt: number

  /** For a read of which no other window knows. One from the start of an object most often goes on to its end. */
  constructor(range: ByteRange, options: ReadaheadOptions = readaheadDefaults) {
    this.#options = options
    this.#position = range.offset
    this.#next = range.offset + range.length
    this.#length = range.offset === 0 ? options.initial : 0
    this.#frontier = this.#gridAfter(this.#next)
    this.#growAt = this.#end
  }

  /** End of the furthest read. */
  get next(): number {
    return this.#next
  }

  get isSequential(): boolean {
    return this.#length > 0
  }

  /** Bytes from the furthest read on that should be there or on their way. */
  get length(): number {
    return this.#length
  }

  /** Whether a read at `offset` belongs to this reader. */
  expects(offset: number): boolean {
    if (!this.isSequential) return offset === this.#next
    return Math.abs(offset - this.#next) <= this.#options.tolerance
  }

  /** Whether the reader may still want what is at `offset`. */
  reaches(offset: number): boolean {
    return this.isSequential && offset < Math.max(this.#end, this.#frontier, this.#next)
  }

  /** Notes a read that belongs to this reader; `waits`: its bytes are not there yet. */
  advance({ offset, length }: ByteRange, waits: boolean): void {
    const { initial, largest } = this.#options
    const isFirst = !this.isSequential
    if (isFirst) this.#length = initial
    else if (waits && offset >= this.#growAt) this.#length = Math.min(this.#length * 2, largest)
    this.#position = Math.max(this.#position, offset)
    this.#next = Math.max(this.#next, offset + length)
    // What is being read is asked for by its read.
    this.#frontier = Math.max(this.#frontier, this.#gridAfter(this.#next))
    if (isFirst || (waits && offset >= this.#growAt)) this.#growAt = this.#end
  }

  /** The next request to send ahead of the reader, cut at `size`, the end of the object; undefined when there is enough. */
  nextRequest(size: number): ByteRange | undefined {
    const offset = this.#frontier
    if (!this.isSequential || offset >= Math.min(this.#end, size)) return undefined
    const length = Math.min(this.#requestBytes(), size - offset)
    this.#frontier = offset + length
    return { offset, length }
  }

  /** A request from `from` on cannot be sent now, because memory is short: the window becomes smaller, and asks again later. */
  refuse(from: number): void {
    this.#frontier = Math.min(this.#frontier, from)
    this.#length = Math.max(this.#length / 2, this.#options.initial)
    this.#growAt = Math.max(this.#growAt, this.#end)
  }

  /** The store fails: begin again with little. */
  reset(): void {
    this.#length = Math.min(this.#length, this.#options.initial)
    this.#frontier = Math.min(this.#frontier, this.#gridAfter(this.#next))
    this.#growAt = this.#end
  }

  get #end(): number {
    return this.#position + this.#length
  }

  #gridAfter(offset: number): number {
    const { blockBytes } = this.#options
    return Math.ceil(offset / blockBytes) * blockBytes
  }

  #requestBytes(): number {
    const { blockBytes, largestRequest, requestsPerWindow } = this.#options
    const blocks = Math.min(largestRequest, this.#length / requestsPerWindow) / blockBytes
    return blockBytes * 2 ** Math.max(0, Math.floor(Math.log2(blocks)))
  }
}

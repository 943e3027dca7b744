/**
 * How far ahead of one reader of a large object to fetch. Pure arithmetic on offsets: `LargeBlobs` fetches what it says. The mount has no file
 * handles, so a reader is known by where it is expected to go on.
 */
export interface ReadaheadOptions {
  /** Bytes ahead when a reader is first seen to go on where it stopped. */
  readonly initial: number
  readonly largest: number
  /** The kernel sends its own read-ahead in several requests, in any order: so far from the expected place it is the same reader. */
  readonly tolerance: number
}

export const readaheadDefaults: ReadaheadOptions = Object.freeze({
  initial: 1 << 20,
  largest: 64 << 20,
  tolerance: 16 << 20,
})

export class ReadaheadWindow {
  readonly #options: ReadaheadOptions
  /** The furthest byte that was read. */
  #next: number
  /** 0: this may be a random read, and nothing is fetched that was not asked for. */
  #ahead: number

  /** For a read at `offset` of which no other window knows. A file is most often read from its start to its end. */
  constructor(offset: number, length: number, options: ReadaheadOptions = readaheadDefaults) {
    this.#options = options
    this.#next = offset + length
    this.#ahead = offset === 0 ? options.initial : 0
  }

  /** Bytes to have fetched, or be fetching, behind the furthest read. */
  get ahead(): number {
    return this.#ahead
  }

  get next(): number {
    return this.#next
  }

  /** Whether a read at `offset` belongs to this reader. */
  expects(offset: number): boolean {
    const { tolerance } = this.#options
    if (this.#ahead === 0) return offset === this.#next
    return offset >= this.#next - tolerance && offset <= this.#next + Math.min(this.#ahead, tolerance)
  }

  /** Notes a read that belongs to this reader; `waited`: its bytes were not there yet, so the reader has caught up. */
  advance(offset: number, length: number, waited: boolean): void {
    const { initial, largest } = this.#options
    if (this.#ahead === 0) this.#ahead = initial
    else if (waited) this.#ahead = Math.min(this.#ahead * 2, largest)
    this.#next = Math.max(this.#next, offset + length)
  }

  /** Memory is short. */
  shrink(): void {
    this.#ahead = Math.max(this.#ahead >> 1, this.#ahead === 0 ? 0 : this.#options.initial)
  }
}

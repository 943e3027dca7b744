/** Adjacent blocks of memory; as many as a power of two. */
export interface Slab {
  readonly bytes: Buffer
  readonly chunk: Chunk
  readonly first: number
  readonly count: number
}

interface Chunk {
  readonly memory: SharedArrayBuffer
  /** By block. */
  readonly isTaken: boolean[]
}

export interface BlockArenaOptions {
  readonly blockBytes: number
  /** Blocks of the largest slab, a power of two. */
  readonly chunkBlocks: number
  readonly maxBytes: number
}

/**
 * Memory for content, used again and again. Fresh buffers cost as much CPU as fetching what is in them: page faults, and a collection of
 * garbage that V8 starts for every 50 MiB of buffers (2 GiB through a mount: 2.5 s of CPU instead of 3.9), and are given back late. It is shared memory, so that
 * a worker can take its SHA-256 without a copy. It grows as it is needed and never becomes smaller.
 */
export class BlockArena {
  readonly #options: BlockArenaOptions
  readonly #chunks: Chunk[] = []
  #blocksTaken = 0

  constructor(options: BlockArenaOptions) {
    this.#options = options
  }

  get blockBytes(): number {
    return this.#options.blockBytes
  }

  /** Taken from the system so far. */
  get bytes(): number {
    return this.#chunks.length * this.#chunkBytes
  }

  /** Whether so many blocks could ever be side by side. */
  couldHold(count: number): boolean {
    return count <= Math.min(this.#options.chunkBlocks, this.blocks)
  }

  /** In all, taken or not. */
  get blocks(): number {
    const { maxBytes, chunkBlocks } = this.#options
    return Math.floor(maxBytes / this.#chunkBytes) * chunkBlocks
  }

  /** What is given back counts at once. */
  get blocksFree(): number {
    return this.blocks - this.#blocksTaken
  }

  /** With anything in it. undefined when there is no room for so many blocks side by side. */
  take(count: number): Slab | undefined {
    const size = 2 ** Math.ceil(Math.log2(count))
    if (size > this.#options.chunkBlocks) return undefined
    for (const chunk of this.#chunks) {
      const first = freeRun(chunk, size)
      if (first !== undefined) return this.#slab(chunk, first, size)
    }
    if (this.bytes + this.#chunkBytes > this.#options.maxBytes) return undefined
    const chunk: Chunk = {
      memory: new SharedArrayBuffer(this.#chunkBytes),
      isTaken: new Array<boolean>(this.#options.chunkBlocks).fill(false),
    }
    this.#chunks.push(chunk)
    return this.#slab(chunk, 0, size)
  }

  /** From the next turn of the event loop on it is used again: so long, pieces of it that have been lent must last. */
  give({ chunk, first, count }: Slab): void {
    this.#blocksTaken -= count
    setImmediate(() => chunk.isTaken.fill(false, first, first + count))
  }

  get #chunkBytes(): number {
    return this.#options.chunkBlocks * this.#options.blockBytes
  }

  #slab(chunk: Chunk, first: number, count: number): Slab {
    const { blockBytes } = this.#options
    chunk.isTaken.fill(true, first, first + count)
    this.#blocksTaken += count
    return { bytes: Buffer.from(chunk.memory, first * blockBytes, count * blockBytes), chunk, first, count }
  }
}

/** Slabs begin at multiples of their size, so that those given back make room for larger ones. */
function freeRun({ isTaken }: Chunk, size: number): number | undefined {
  for (let first = 0; first + size <= isTaken.length; first += size)
    if (!isTaken.slice(first, first + size).includes(true)) return first
  return undefined
}

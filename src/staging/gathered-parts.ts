import type { BufferPool } from '../base/buffer-pool.ts'
import type { Semaphore } from '../base/semaphore.ts'
import type { ByteRange } from '../store/object-store.ts'

export interface GatheredPartsOptions {
  /** Bytes of all growing uploads that are in memory. */
  readonly memory: Semaphore
  readonly buffers: BufferPool
}

/** The bytes of one part. Dispose `room` when they are no longer needed. */
export interface PartBytes {
  readonly bytes: Buffer
  readonly room: Disposable
}

interface Gathered {
  /** In the file. */
  readonly start: number
  readonly size: number
  readonly buffer: Buffer
  readonly room: Disposable
  filled: number
}

/** Milliseconds without a write after which memory is not held for the next one. */
const patience = 2_000

/**
 * Gathers the bytes of the next parts of a file while it is written from its start to its end. Read back from the staged file, when it has left the caches of the processor, each GiB took
 * half a second of it more. Only an offer: what was written in another order, or when there was no memory, is read from the file.
 */
export class GatheredParts {
  readonly #options: GatheredPartsOptions
  #open: Gathered | undefined
  readonly #whole: Gathered[] = []
  #idle: NodeJS.Timeout | undefined

  constructor(options: GatheredPartsOptions) {
    this.#options = options
  }

  /** These bytes were written at `offset`; parts of `size` begin at `next`. */
  wrote(
    bytes: Uint8Array,
    offset: number,
    { next, size }: { readonly next: number; readonly size: number },
  ): void {
    this.#forgetFrom(offset)
    for (let at = 0; at < bytes.length; ) {
      this.#open ??= this.#begin(offset + at, offset + bytes.length, next, size)
      const open = this.#open
      if (open === undefined) return
      at = open.start + open.filled - offset
      const taken = bytes.subarray(at, at + open.size - open.filled)
      open.buffer.set(taken, open.filled)
      open.filled += taken.length
      at += taken.length
      if (open.filled < open.size) break
      this.#whole.push(open)
      this.#open = undefined
    }
    this.#idle?.refresh()
  }

  /** The bytes of these ranges of the file, if just they were gathered. */
  take(ranges: readonly ByteRange[]): PartBytes | undefined {
    const [range, ...others] = ranges
    if (range === undefined) return undefined
    // Parts are taken in their order.
    while (this.#whole[0] !== undefined && this.#whole[0].start < range.offset)
      this.#whole.shift()?.room[Symbol.dispose]()
    const isOpen = this.#whole.length === 0
    const found = isOpen ? this.#open : this.#whole[0]
    if (others.length > 0 || found?.start !== range.offset || found.filled !== range.length) return undefined
    if (isOpen) this.#open = undefined
    else this.#whole.shift()
    return { bytes: found.buffer.subarray(0, found.filled), room: found.room }
  }

  /** All that is gathered; the file may be another. */
  forget(): void {
    clearTimeout(this.#idle)
    this.#idle = undefined
    for (const gathered of this.#whole.splice(0)) gathered.room[Symbol.dispose]()
    this.#forgetOpen()
  }

  /** A part that begins before `end`, at `from` or behind it; undefined when there is none, or no memory. */
  #begin(from: number, end: number, next: number, size: number): Gathered | undefined {
    const { memory, buffers } = this.#options
    const start = next + Math.max(0, Math.ceil((from - next) / size)) * size
    if (start >= end || size > buffers.size) return undefined
    // Of what is left a part can be read from its file, behind which whole ones of the same upload may wait.
    const permit = memory.tryAcquire({ weight: size, leaving: size })
    if (permit === undefined) return undefined
    const room = new DisposableStack()
    room.use(permit)
    const buffer = room.adopt(buffers.take(), (buffer) => buffers.giveBack(buffer))
    this.#idle ??= setTimeout(() => this.#forgetOpen(), patience).unref()
    return { start, size, buffer, room, filled: 0 }
  }

  /** What was written in another order. */
  #forgetFrom(offset: number): void {
    const last = this.#whole.at(-1)
    if (last !== undefined && offset < last.start + last.size) this.forget()
    else if (this.#open !== undefined && offset !== this.#open.start + this.#open.filled) this.#forgetOpen()
  }

  #forgetOpen(): void {
    this.#open?.room[Symbol.dispose]()
    this.#open = undefined
  }
}

import type { BufferPool } from '../base/buffer-pool.ts'
import type { Semaphore } from '../base/semaphore.ts'
import type { ByteRange } from '../store/object-store.ts'

export interface GatheredPartsOptions {
  /** Bytes that are gathered for all growing uploads. Nobody waits for them: whoever reads a part from its file has others. */
  readonly gathering: Semaphore
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

/** Milliseconds that a part may take: memory is not held for who writes slowly, or no more. */
const patience = 3_000

/**
 * Gathers the bytes of the next parts of a file while it is written from its start to its end. Read back from the staged file, when it has left the caches of the processor, each GiB took
 * half a second of it more. Only an offer: what was written in another order, or when there was no memory, is read from the file.
 */
export class GatheredParts {
  readonly #options: GatheredPartsOptions
  #open: Gathered | undefined
  readonly #whole: Gathered[] = []
  #late: NodeJS.Timeout | undefined

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
  }

  /** The bytes of these ranges of the file, if just they were gathered. */
  take(ranges: readonly ByteRange[]): PartBytes | undefined {
    const [first, ...others] = ranges
    const last = ranges.at(-1)
    if (first === undefined || last === undefined) return undefined
    const isIt = ({ start, filled }: Gathered): boolean =>
      others.length === 0 && start === first.offset && filled === first.length
    let found: Gathered | undefined
    // Parts are taken in their order: what begins before the end of this one is none of those that follow.
    for (const gathered of this.#beginningBefore(last.offset + last.length))
      if (found === undefined && isIt(gathered)) found = gathered
      else gathered.room[Symbol.dispose]()
    return found && { bytes: found.buffer.subarray(0, found.filled), room: found.room }
  }

  /** All that is gathered; the file may be another. */
  forget(): void {
    clearTimeout(this.#late)
    for (const gathered of this.#whole.splice(0)) gathered.room[Symbol.dispose]()
    this.#forgetOpen()
  }

  /** They are no longer here. */
  #beginningBefore(end: number): Gathered[] {
    const behind = this.#whole.findIndex(({ start }) => start >= end)
    if (behind !== -1) return this.#whole.splice(0, behind)
    const all = this.#whole.splice(0)
    if (this.#open !== undefined && this.#open.start < end) {
      all.push(this.#open)
      this.#open = undefined
    }
    return all
  }

  /** A part that begins before `end`, at `from` or behind it; undefined when there is none, or no memory. */
  #begin(from: number, end: number, next: number, size: number): Gathered | undefined {
    const { gathering, buffers } = this.#options
    const start = next + Math.max(0, Math.ceil((from - next) / size)) * size
    if (start >= end || size > buffers.size) return undefined
    const permit = gathering.tryAcquire(size)
    if (permit === undefined) return undefined
    const room = new DisposableStack()
    room.use(permit)
    const buffer = room.adopt(buffers.take(), (buffer) => buffers.giveBack(buffer))
    clearTimeout(this.#late)
    this.#late = setTimeout(() => this.forget(), patience).unref()
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

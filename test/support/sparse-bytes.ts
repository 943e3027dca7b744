const pageSize = 1 << 16
const zeros = Buffer.alloc(pageSize)

/** The bytes of a file in memory, of which pages that nobody has written are holes. */
export class SparseBytes {
  readonly #pages = new Map<number, Buffer>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Of 512 bytes, as stat(2) counts them. */
  get blocks(): number {
    return (this.#pages.size * pageSize) / 512
  }

  read(offset: number, length: number): Buffer[] {
    const pieces: Buffer[] = []
    for (const { page, from, to } of parts(offset, Math.max(0, Math.min(length, this.#size - offset))))
      pieces.push((this.#pages.get(page) ?? zeros).subarray(from, to))
    return pieces
  }

  /** Copies `bytes`. */
  write(offset: number, bytes: Buffer): void {
    let taken = 0
    for (const { page, from, to } of parts(offset, bytes.length)) {
      const target = this.#pages.get(page) ?? Buffer.alloc(pageSize)
      this.#pages.set(page, target)
      taken += bytes.copy(target, from, taken, taken + to - from)
    }
    if (taken > 0) this.#size = Math.max(this.#size, offset + taken)
  }

  resize(size: number): void {
    if (size < this.#size) this.punch(size, this.#size - size)
    this.#size = size
  }

  /** Leaves a hole; the size stays. */
  punch(offset: number, length: number): void {
    for (const page of [...this.#pages.keys()]) {
      const start = page * pageSize
      const from = Math.max(0, offset - start)
      const to = Math.min(pageSize, offset + length - start)
      if (from === 0 && to === pageSize) this.#pages.delete(page)
      else if (from < to) this.#pages.get(page)?.fill(0, from, to)
    }
  }

  /** Where data, or a hole, begins at or behind `offset`; undefined: not before the end. */
  seek(offset: number, want: 'data' | 'hole'): number | undefined {
    if (offset >= this.#size) return undefined
    const starts = [...this.#pages.keys()].map((page) => page * pageSize).sort((a, b) => a - b)
    if (want === 'data') {
      const start = starts.find((start) => start + pageSize > offset)
      return start === undefined || start >= this.#size ? undefined : Math.max(start, offset)
    }
    let end = offset
    while (this.#pages.has(Math.floor(end / pageSize))) end = (Math.floor(end / pageSize) + 1) * pageSize
    return Math.min(end, this.#size)
  }
}

function* parts(offset: number, length: number): Generator<{ page: number; from: number; to: number }> {
  for (let at = offset; at < offset + length; ) {
    const page = Math.floor(at / pageSize)
    const from = at - page * pageSize
    const to = Math.min(pageSize, from + offset + length - at)
    yield { page, from, to }
    at += to - from
  }
}

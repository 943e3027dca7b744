/** Large buffers of one size that are used again: new pages cost as much as what is done with them. */
export class BufferPool {
  readonly size: number
  readonly #free: Buffer[] = []
  readonly #most: number

  /** `most`: kept while nobody uses them. */
  constructor(size: number, most: number) {
    this.size = size
    this.#most = most
  }

  /** In shared memory, so that other threads need no copy; with what was in it before. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(this.size))
  }

  giveBack(buffer: Buffer): void {
    if (this.#free.length < this.#most) this.#free.push(buffer)
  }
}

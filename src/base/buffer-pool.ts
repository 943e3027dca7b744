/** Large buffers of one size that are used again: new pages cost as much as what is done with them. */
export class BufferPool {
  readonly size: number
  readonly #free: Buffer[] = []
  readonly #most: number
  #used = 0

  /** `most`: kept while nobody uses any; until then all are. */
  constructor(size: number, most: number) {
    this.size = size
    this.#most = most
  }

  /** In shared memory, so that other threads need no copy; with what was in it before. */
  take(): Buffer {
    this.#used++
    return this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(this.size))
  }

  giveBack(buffer: Buffer): void {
    this.#free.push(buffer)
    if (--this.#used === 0) this.#free.length = Math.min(this.#free.length, this.#most)
  }
}

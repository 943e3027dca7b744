import type { HashThread } from '../cache/hash-thread.ts'

/** The SHA-256 of a file of which parts, numbered from 1, are given to a thread in their order, as they are read for the first time. */
export class SequentialHash {
  readonly #hashes: HashThread
  /** undefined: parts are not in it, or the thread has died. */
  #stream: number | undefined
  #last = 0

  constructor(hashes: HashThread) {
    this.#hashes = hashes
    this.#stream = hashes.newStream()
  }

  has(part: number): boolean {
    return part <= this.#last
  }

  /** Resolves when the bytes are no longer needed; until then they must not change. */
  async update(part: number, bytes: Buffer): Promise<void> {
    if (this.has(part)) return
    this.#last = part
    if (this.#stream === undefined) return
    await this.#hashes.update(this.#stream, bytes).catch(() => {
      this.#stream = undefined
    })
  }

  /** There will be none. */
  forget(): void {
    if (this.#stream !== undefined) this.#hashes.forget(this.#stream)
    this.#stream = undefined
  }

  /** Ends it; undefined where not all parts are in it. */
  async digest(): Promise<Buffer | undefined> {
    const stream = this.#stream
    if (stream === undefined) return undefined
    this.#stream = undefined
    return this.#hashes.digest(stream).catch(() => undefined)
  }
}

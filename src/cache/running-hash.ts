import type { HashThread } from './hash-thread.ts'

interface Offered {
  readonly bytes: Uint8Array
  readonly release: () => void
}

/** The SHA-256 of a large object while it is read from start to end. Blocks are offered in any order, more than once too, and are hashed in theirs. */
export class RunningHash {
  readonly #thread: HashThread
  readonly #stream: number
  readonly #expected: Buffer
  readonly #blockCount: number
  /** Blocks that wait for one before them. */
  readonly #early = new Map<number, Offered>()
  #next = 0
  #verdict: Promise<boolean | undefined> | undefined
  #isGivenUp = false

  constructor(thread: HashThread, expected: Buffer, blockCount: number) {
    this.#thread = thread
    this.#stream = thread.newStream()
    this.#expected = expected
    this.#blockCount = blockCount
  }

  /** The first block that is still to be offered. */
  get next(): number {
    return this.#next
  }

  /** Blocks held because one before them has not been offered. */
  get waiting(): number {
    return this.#early.size
  }

  has(block: number): boolean {
    return block < this.#next || this.#early.has(block)
  }

  /** `release` is called when the bytes, which must not change until then, are no longer needed. */
  offer(block: number, bytes: Uint8Array, release: () => void): void {
    if (this.#isGivenUp || this.has(block)) {
      release()
      return
    }
    this.#early.set(block, { bytes, release })
    for (let next = this.#early.get(this.#next); next !== undefined; next = this.#early.get(this.#next)) {
      this.#early.delete(this.#next++)
      // What went wrong is said by the verdict.
      this.#thread.update(this.#stream, next.bytes).then(next.release, next.release)
    }
  }

  /** Whether the object is what it should be; undefined until all of it has been offered, when it was given up before, and when the thread has died. */
  verdict(): Promise<boolean | undefined> | undefined {
    if (this.#next === this.#blockCount && !this.#isGivenUp)
      this.#verdict ??= this.#thread.digest(this.#stream).then(
        (digest) => digest.equals(this.#expected),
        () => undefined,
      )
    return this.#verdict
  }

  giveUp(): void {
    this.#isGivenUp = true
    for (const { release } of this.#early.values()) release()
    this.#early.clear()
    if (this.#verdict === undefined) this.#thread.forget(this.#stream)
  }
}

import { createHash } from 'node:crypto'

/**
 * The SHA-256 of a large object while it is read from start to end: blocks may arrive in any order, and are hashed in theirs. A block
 * that is never read leaves the object unchecked.
 */
export class RunningHash {
  readonly #hash = createHash('sha256')
  readonly #expected: Buffer
  readonly #blockCount: number
  readonly #early = new Map<number, Uint8Array>()
  readonly #verdict = Promise.withResolvers<'right' | 'wrong' | 'unknown'>()
  #next = 0

  constructor(expected: Buffer, blockCount: number) {
    this.#expected = expected
    this.#blockCount = blockCount
  }

  /** Settles when the last block has been hashed, or when the reading was given up. */
  get verdict(): Promise<'right' | 'wrong' | 'unknown'> {
    return this.#verdict.promise
  }

  /** Whether all blocks before `block` have been hashed or have arrived. */
  hasAllBefore(block: number): boolean {
    for (let i = this.#next; i < block; i++) if (!this.#early.has(i)) return false
    return true
  }

  add(block: number, bytes: Uint8Array): void {
    if (block < this.#next) return
    this.#early.set(block, bytes)
    for (let next = this.#early.get(this.#next); next !== undefined; next = this.#early.get(this.#next)) {
      this.#hash.update(next)
      this.#early.delete(this.#next++)
    }
    if (this.#next === this.#blockCount)
      this.#verdict.resolve(this.#hash.digest().equals(this.#expected) ? 'right' : 'wrong')
  }

  giveUp(): void {
    this.#early.clear()
    this.#verdict.resolve('unknown')
  }
}

import type { RunningHash } from './running-hash.ts'

/**
 * Blocks of which memory is kept only because a running hash waits for one before them. A reader who has left that one out, and perhaps gone away, would
 * keep them for ever: when they become too many, the hash that has stood still the longest is given up, and its reader goes unchecked.
 */
export class EarlyBlocks {
  readonly #limit: number
  /** The one that has stood still the longest first. */
  readonly #waiting = new Map<RunningHash, () => void>()

  /** `limit`: blocks, of all hashes together. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** To be called when blocks have been offered to `hash`. */
  note(hash: RunningHash, giveUp: () => void): void {
    this.#waiting.delete(hash)
    this.#waiting.set(hash, giveUp)
    let total = 0
    for (const each of this.#waiting.keys()) {
      if (each.waiting === 0) this.#waiting.delete(each)
      total += each.waiting
    }
    for (const [each, giveUpEach] of this.#waiting) {
      if (total <= this.#limit) return
      total -= each.waiting
      this.#waiting.delete(each)
      giveUpEach()
    }
  }
}

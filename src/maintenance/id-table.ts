import { randomInt } from 'node:crypto'
import { Column } from './column.ts'

/** Slots a table begins with; a power of two, as all sizes are. */
const firstSlots = 1 << 10

/**
 * A set of object ids that numbers them from 0 in the order in which they came: 12 bytes each, and four to eight for where to find it. Ids are 24 lower-case
 * hex digits (`isObjectId`).
 */
export class IdTable {
  readonly #words = new Column(Uint32Array, 3)
  /** Number of an id, and 1; 0 is a free slot. */
  #slots = new Uint32Array(firstSlots)
  #size = 0
  /** Ids come from outside: nobody can choose many that meet in one slot. */
  readonly #seed = randomInt(2 ** 32)

  get size(): number {
    return this.#size
  }

  /** The number of an id, new or not. */
  add(id: string): number {
    const [a, b, c] = wordsOf(id)
    const slot = this.#slotOf(a, b, c)
    const found = this.#slots[slot] as number
    if (found !== 0) return found - 1
    const number = this.#size++
    this.#words.set(number, a, 0)
    this.#words.set(number, b, 1)
    this.#words.set(number, c, 2)
    this.#slots[slot] = number + 1
    // At most half full: longer searches cost more than the room.
    if (this.#size * 2 > this.#slots.length) this.#grow()
    return number
  }

  /** undefined for an id that is not there. */
  find(id: string): number | undefined {
    const [a, b, c] = wordsOf(id)
    const found = this.#slots[this.#slotOf(a, b, c)] as number
    return found === 0 ? undefined : found - 1
  }

  idAt(number: number): string {
    return [0, 1, 2].map((word) => this.#words.get(number, word).toString(16).padStart(8, '0')).join('')
  }

  /** Where the id is, or the free slot where it belongs. */
  #slotOf(a: number, b: number, c: number): number {
    const mask = this.#slots.length - 1
    for (let slot = hashOf(a, b, c, this.#seed) & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot] as number
      if (found === 0) return slot
      const number = found - 1
      if (
        this.#words.get(number, 0) === a &&
        this.#words.get(number, 1) === b &&
        this.#words.get(number, 2) === c
      )
        return slot
    }
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2)
    for (let number = 0; number < this.#size; number++) {
      const slot = this.#slotOf(
        this.#words.get(number, 0),
        this.#words.get(number, 1),
        this.#words.get(number, 2),
      )
      this.#slots[slot] = number + 1
    }
  }
}

function wordsOf(id: string): [number, number, number] {
  const word = (first: number): number => Number.parseInt(id.slice(first, first + 8), 16)
  return [word(0), word(8), word(16)]
}

/** As MurmurHash3 mixes: ids count up, and must be spread. */
function hashOf(a: number, b: number, c: number, seed: number): number {
  let hash = seed
  for (const word of [a, b, c]) {
    const mixed = Math.imul(word, 0xcc9e2d51)
    hash ^= Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

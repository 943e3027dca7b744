/** Numbers that look random and follow from the seed alone: mulberry32, of 32 bits of state. Not for secrets. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 up to, not including, 1. */
  fraction(): number {
    return this.#bits() / 2 ** 32
  }

  #bits(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let bits = this.#state
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return (bits ^ (bits >>> 14)) >>> 0
  }

  /** A whole number from `least` to `most`, both included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1))
  }

  /** As `integer`, but every doubling is as likely as the next: many small numbers, few large ones. */
  logarithmic(least: number, most: number): number {
    return Math.round(least * (most / least) ** this.fraction())
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.integer(0, items.length - 1)] as Item
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(Math.ceil(length / 4) * 4)
    for (let offset = 0; offset < length; offset += 4) bytes.writeUInt32LE(this.#bits(), offset)
    return bytes.subarray(0, length)
  }

  hex(digits: number): string {
    return this.bytes(Math.ceil(digits / 2))
      .toString('hex')
      .slice(0, digits)
  }
}

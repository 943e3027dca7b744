/** How many things, and how much they take in the store. */
export interface Amount {
  readonly count: number
  readonly bytes: number
}

/** An `Amount` that is being counted. */
export class Tally implements Amount {
  count = 0
  bytes = 0

  add(bytes: number): void {
    this.count++
    this.bytes += bytes
  }
}

export function sumOf(amounts: readonly Amount[]): Amount {
  return {
    count: amounts.reduce((sum, { count }) => sum + count, 0),
    bytes: amounts.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/** Records of a chunk: what grows is one more chunk, and nothing is ever copied, which would need the room twice. */
const chunkBits = 16
const chunkRecords = 1 << chunkBits

type Values = Uint8Array | Uint32Array | Float64Array

/** A value of fixed width for each of many numbered records, outside of the JavaScript heap: some bytes a record for millions of them. Zero until it is set. */
export class Column<T extends Values> {
  readonly #make: new (
    length: number,
  ) => T
  readonly #width: number
  readonly #chunks: T[] = []

  /** `width`: elements of a record. */
  constructor(make: new (length: number) => T, width = 1) {
    this.#make = make
    this.#width = width
  }

  get(record: number, element = 0): number {
    const chunk = this.#chunks[record >>> chunkBits]
    return chunk?.[(record & (chunkRecords - 1)) * this.#width + element] ?? 0
  }

  set(record: number, value: number, element = 0): void {
    this.#chunkOf(record)[(record & (chunkRecords - 1)) * this.#width + element] = value
  }

  /** The elements of a record in place: what is written to them stays. */
  record(record: number): T {
    const first = (record & (chunkRecords - 1)) * this.#width
    return this.#chunkOf(record).subarray(first, first + this.#width) as T
  }

  #chunkOf(record: number): T {
    const index = record >>> chunkBits
    while (this.#chunks.length <= index) this.#chunks.push(new this.#make(chunkRecords * this.#width))
    return this.#chunks[index] as T
  }
}

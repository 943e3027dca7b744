import { type Amount, Tally } from './amount.ts'
import { Column } from './column.ts'
import { IdTable } from './id-table.ts'
import type { ListedObject } from './listing.ts'

/** Objects that are to go, some twenty-five bytes each; one that turns out to be needed is spared. */
export class Orphans {
  readonly #ids = new IdTable()
  readonly #sizes = new Column(Float64Array)
  readonly #spared = new Column(Uint8Array)

  /** Bytes of `size`. */
  add(id: string, size: number): void {
    this.#sizes.set(this.#ids.add(id), size)
  }

  /** Ids that are none of these are no matter. */
  spare(id: string): void {
    const object = this.#ids.find(id)
    if (object !== undefined) this.#spared.set(object, 1)
  }

  isSpared(id: string): boolean {
    const object = this.#ids.find(id)
    return object !== undefined && this.#spared.get(object) !== 0
  }

  get amount(): Amount {
    const amount = new Tally()
    for (const { size } of this) amount.add(size)
    return amount
  }

  /** Those that are not spared by the time they are asked for. */
  *[Symbol.iterator](): Iterator<ListedObject> {
    for (let object = 0; object < this.#ids.size; object++)
      if (this.#spared.get(object) === 0) yield { id: this.#ids.idAt(object), size: this.#sizes.get(object) }
  }
}

import type { ForeignObject } from './layout.ts'

/** An object as the tables of a layout refer to it. */
export interface StoredObject {
  /** Counts from 1. */
  readonly number: number
  /** As the vendor's ids: 24 hex digits. */
  readonly id: string
  readonly key: string
  readonly size: number
  readonly storedSize: number
}

export interface ObjectNaming {
  /** The key below the repository. */
  keyOf(object: { readonly number: number; readonly id: string; readonly content: Buffer }): string
  encode?(content: Buffer): Buffer
}

/** The objects of a repository: one for each content, whichever files and snapshots have it. */
export class Objects {
  readonly #naming: ObjectNaming
  readonly #byContent = new Map<string, StoredObject>()
  readonly #stored: ForeignObject[] = []

  constructor(naming: ObjectNaming) {
    this.#naming = naming
  }

  add(content: Buffer): StoredObject {
    const known = this.#byContent.get(content.toString('latin1'))
    if (known !== undefined) return known
    const number = this.#stored.length + 1
    const id = [0x6258c0a3 + Math.floor(number / 10), (number * 77_773) % 1_000_000, 0x1146 + number]
      .map((field) => field.toString(16).padStart(8, '0'))
      .join('')
    const key = this.#naming.keyOf({ number, id, content })
    const bytes = this.#naming.encode?.(content) ?? content
    this.#stored.push({ key, bytes })
    const object = { number, id, key, size: content.length, storedSize: bytes.length }
    this.#byContent.set(content.toString('latin1'), object)
    return object
  }

  all(): readonly StoredObject[] {
    return [...this.#byContent.values()]
  }

  stored(): readonly ForeignObject[] {
    return this.#stored
  }
}

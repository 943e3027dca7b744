import type { OwnObjectRef } from '../snapshot/tree.ts'
import { Column } from './column.ts'
import { IdTable } from './id-table.ts'
import { type SetNumber, SnapshotSets } from './snapshot-sets.ts'

/** What is known of an object: nothing but that an index refers to it, or how it lies in the store. */
export const ObjectState = { missing: 0, present: 1, wrongSize: 2 } as const
export type ObjectState = (typeof ObjectState)[keyof typeof ObjectState]

/** What a snapshot's index says of an object in other words than the one that came first. */
export interface Contradiction {
  /** Number of the object. */
  readonly object: number
  /** Number of the snapshot. */
  readonly snapshot: number
}

/**
 * All objects that the indexes of a repository refer to, by number from 0 on: what they say of it, and which snapshots say so. Some fifty bytes an
 * object, or eighty with whole hashes, none of them on the JavaScript heap.
 */
export class References {
  readonly #ids = new IdTable()
  readonly #sizes = new Column(Float64Array)
  readonly #hashes: Column<Uint8Array>
  readonly #hashBytes: number
  readonly #sets = new Column(Uint32Array)
  readonly #states = new Column(Uint8Array)
  readonly #snapshotSets = new SnapshotSets()
  readonly contradictions: Contradiction[] = []
  /** Size in the store of those that have another one. */
  readonly wrongSizes = new Map<number, number>()

  /** `hashBytes`: of the SHA-256. All 32 where objects are read; eight tell two objects apart. */
  constructor({ hashBytes }: { readonly hashBytes: 8 | 32 }) {
    this.#hashBytes = hashBytes
    this.#hashes = new Column(Uint8Array, hashBytes)
  }

  get size(): number {
    return this.#ids.size
  }

  /** `snapshot` is a number, not N; snapshots are added one after the other. Whether nothing referred to the object before. */
  add({ id, size, sha256 }: Pick<OwnObjectRef, 'id' | 'size' | 'sha256'>, snapshot: number): boolean {
    const before = this.#ids.size
    const object = this.#ids.add(id)
    const hash = sha256.subarray(0, this.#hashBytes)
    if (object === before) {
      this.#sizes.set(object, size)
      this.#hashes.record(object).set(hash)
    } else if (this.#sizes.get(object) !== size || !hash.equals(this.#hashes.record(object))) {
      this.contradictions.push({ object, snapshot })
      return false
    }
    this.#sets.set(object, this.#snapshotSets.with(this.#sets.get(object) as SetNumber, snapshot))
    return object === before
  }

  /** Takes note of an object in the store. False when nothing refers to it. */
  see(id: string, size: number): boolean {
    const object = this.#ids.find(id)
    if (object === undefined) return false
    const isRight = this.#sizes.get(object) === size
    this.#states.set(object, isRight ? ObjectState.present : ObjectState.wrongSize)
    if (!isRight) this.wrongSizes.set(object, size)
    return true
  }

  idOf(object: number): string {
    return this.#ids.idAt(object)
  }

  /** Bytes, as the indexes say. */
  sizeOf(object: number): number {
    return this.#sizes.get(object)
  }

  /** So many bytes of it as were asked for. */
  hashOf(object: number): Uint8Array {
    return this.#hashes.record(object)
  }

  stateOf(object: number): ObjectState {
    return this.#states.get(object) as ObjectState
  }

  /** Numbers of the snapshots that refer to it. */
  snapshotsOf(object: number): number[] {
    return this.#snapshotSets.snapshots(this.#sets.get(object))
  }
}

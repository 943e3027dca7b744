/** Number of a set of snapshots in `SnapshotSets`; 0 is the empty one. */
export type SetNumber = number

/**
 * The sets of snapshots that objects belong to. Millions of objects share a few hundred of them, so that an object needs four bytes to say which snapshots refer
 * to it. A set is another one and one snapshot more.
 */
export class SnapshotSets {
  readonly #without: SetNumber[] = [0]
  readonly #last: number[] = [0]
  readonly #with = new Map<string, SetNumber>()

  /** The set that has `snapshot`, too. Of any set the snapshots are added in the same order. */
  with(set: SetNumber, snapshot: number): SetNumber {
    if (set !== 0 && this.#last[set] === snapshot) return set
    const key = `${set} ${snapshot}`
    const known = this.#with.get(key)
    if (known !== undefined) return known
    const added = this.#last.length
    this.#without.push(set)
    this.#last.push(snapshot)
    this.#with.set(key, added)
    return added
  }

  /** In the order in which they were added. */
  snapshots(set: SetNumber): number[] {
    const found: number[] = []
    for (let rest = set; rest !== 0; rest = this.#without[rest] as SetNumber)
      found.push(this.#last[rest] as number)
    return found.reverse()
  }
}

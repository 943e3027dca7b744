import { slotOf } from './inode-number.ts'

/**
 * Files that were linked into another snapshot, by nodeid: whoever links a file there twice means two names of one file, as long as neither that file nor the
 * one it was made of has changed.
 */
export class Adopted {
  /** Source → target in each slot. */
  readonly #targets = new Map<number, Map<number, number>>()
  readonly #sources = new Map<number, number>()

  targetOf(source: number, slot: number): number | undefined {
    return this.#targets.get(source)?.get(slot)
  }

  add(source: number, target: number): void {
    const targets = this.#targets.get(source) ?? new Map<number, number>()
    this.#targets.set(source, targets.set(slotOf(target), target))
    this.#sources.set(target, source)
  }

  /** The node's content or attributes are about to be others. */
  changed(nodeid: number): void {
    for (const target of this.#targets.get(nodeid)?.values() ?? []) this.#sources.delete(target)
    this.#targets.delete(nodeid)
    const source = this.#sources.get(nodeid)
    if (source === undefined) return
    this.#sources.delete(nodeid)
    // Another one may have taken its place, if it had lost its last name.
    if (this.targetOf(source, slotOf(nodeid)) === nodeid) this.#targets.get(source)?.delete(slotOf(nodeid))
  }
}

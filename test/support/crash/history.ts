import { type Change, changed, differenceOf, isPartOfWrite, type State, textOf } from './model.ts'

const keptWrites = 200

/**
 * All states that a snapshot has had, in order: after each change that was acknowledged, and after those that were under way and may have been done. A published
 * state must be one of them, and never an older one than the last that was seen.
 */
export class History {
  #state: State
  /** The change under way, which may be done or not. */
  #begun: Change | undefined
  readonly #numbers = new Map<string, number[]>()
  /** The last writes, with what there was before, and their numbers. */
  readonly #writes: { readonly before: State; readonly change: Change; readonly number: number }[] = []
  #last = 0
  /** Publishes that were acknowledged: whoever looks later sees this state, or a later one. */
  readonly #published: { readonly number: number; readonly at: number }[] = []

  constructor(state: State) {
    this.#state = state
    this.#note(state)
  }

  get state(): State {
    return this.#state
  }

  /** How many states there were. */
  get length(): number {
    return this.#last
  }

  begin(change: Change): void {
    this.#begun = change
    const before = this.#state
    this.#note(changed(before, change))
    if (change.kind !== 'write') return
    this.#writes.push({ before, change, number: this.#last })
    if (this.#writes.length > keptWrites) this.#writes.shift()
  }

  done(): void {
    if (this.#begun === undefined) return
    this.#state = changed(this.#state, this.#begun)
    this.#begun = undefined
  }

  /** What is there after the change under way has failed, or the daemon was killed, must have all that was acknowledged. Throws when it has not. */
  settle(found: State): void {
    const begun = this.#begun
    const text = textOf(found)
    const candidates = begun === undefined ? [this.#state] : [this.#state, changed(this.#state, begun)]
    const isRight =
      candidates.some((state) => textOf(state) === text) ||
      (begun !== undefined && isPartOfWrite(this.#state, begun, found))
    if (!isRight) {
      const under = begun === undefined ? 'nothing' : JSON.stringify({ ...begun, bytes: undefined })
      throw new Error(`not what was acknowledged (under way: ${under}):\n${differenceOf(this.#state, found)}`)
    }
    this.#begun = undefined
    this.#state = found
    this.#note(found)
  }

  /** A publish that began when there were `length` states has succeeded. */
  published(length: number): void {
    this.#published.push({ number: length, at: performance.now() })
  }

  /** What readers who look at `when` must see at least, if it takes them `lag` milliseconds to notice. */
  leastAt(when: number, lag: number): number {
    return Math.max(0, ...this.#published.filter(({ at }) => at + lag < when).map(({ number }) => number))
  }

  /** The number of the last state that looks like this. */
  latestOf(seen: State): number {
    return this.#numbers.get(textOf(seen))?.at(-1) ?? 0
  }

  /** The number, at least `least`, of a published state that somebody sees. Throws when it is a mixture, or the past. */
  numberOf(seen: State, least: number): number {
    const numbers = this.#numbers.get(textOf(seen)) ?? []
    const number = numbers.find((number) => number >= least)
    if (number !== undefined) return number
    // The kernel sends a write(2) in pieces where it finds a page missing, and a publish may come between two of them.
    const torn = this.#writes.find(
      (write) => write.number >= least && isPartOfWrite(write.before, write.change, seen),
    )
    if (torn !== undefined) return torn.number
    const what = numbers.length === 0 ? 'a mixture' : `the past: state ${numbers}, after ${least}`
    throw new Error(`readers see ${what}; what differs from now:\n${differenceOf(this.#state, seen)}`)
  }

  #note(state: State): void {
    const text = textOf(state)
    const numbers = this.#numbers.get(text)
    this.#last++
    if (numbers === undefined) this.#numbers.set(text, [this.#last])
    else numbers.push(this.#last)
  }
}

import { formatByteSize } from '../base/byte-size.ts'
import { ChangeError } from '../snapshot/errors.ts'

/** Of what is free on the disk. */
const largestShare = 0.9
/** Milliseconds. */
const askEvery = 1_000

/** What can make room. */
export interface Reliever {
  /** Gives up at once what need not be kept any more. */
  relieve(): void
  /** Whether something is under way that will make room, sooner or later. */
  readonly isRelieving: boolean
}

/** The room that contents take which are not in the store yet, of all working snapshots. Who finds none waits until something has been stored. */
export class StagingRoom {
  readonly #wanted: number
  readonly #free: () => number
  #limit = 0
  #asked = Number.NEGATIVE_INFINITY
  readonly #relievers = new Set<Reliever>()
  readonly #waiting = new Set<() => void>()
  #used = 0

  /** `wanted`: bytes. `free`: what the disk has left, of which a part stays for others; asked now and then. */
  constructor(wanted: number, free: () => number = () => Number.POSITIVE_INFINITY) {
    this.#wanted = wanted
    this.#free = free
  }

  /** Bytes. */
  get limit(): number {
    const now = performance.now()
    if (now - this.#asked > askEvery) {
      this.#asked = now
      this.#limit = Math.min(this.#wanted, this.#used + largestShare * this.#free())
    }
    return this.#limit
  }

  /** Bytes. */
  get used(): number {
    return this.#used
  }

  /** More than half of it is taken: what can go is better gone before somebody has to wait. */
  get isShort(): boolean {
    return this.#used > this.limit / 2
  }

  add(reliever: Reliever): Disposable {
    this.#relievers.add(reliever)
    return { [Symbol.dispose]: () => this.#relievers.delete(reliever) }
  }

  fits(bytes: number): boolean {
    return this.#used + bytes <= this.limit
  }

  /** More, or with a negative number less, is taken. */
  changed(bytes: number): void {
    this.#used += bytes
    if (bytes < 0) this.relieved()
  }

  /** What was under way has got on, or has ended: who waits looks again. */
  relieved(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  /** Resolves when it may be worth looking again. Rejects with `staging-full` when nothing is under way that would make room. */
  async freed(bytes: number): Promise<void> {
    for (const reliever of this.#relievers) reliever.relieve()
    if (this.fits(bytes)) return
    if (bytes > this.limit || ![...this.#relievers].some(({ isRelieving }) => isRelieving))
      throw new ChangeError(
        'staging-full',
        `the staging area of ${formatByteSize(Math.floor(this.limit))} is full, and nothing in it can be stored before it is closed`,
      )
    await new Promise<void>((resolve) => this.#waiting.add(resolve))
  }
}

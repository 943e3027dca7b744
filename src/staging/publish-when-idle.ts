import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { WorkingSnapshot } from './working-snapshot.ts'

/** When snapshots are published by themselves, in milliseconds. */
export interface PublishTimes {
  /** Without a change. */
  readonly idle: number
  /** Between two publishes while it goes on changing. */
  readonly longest: number
  readonly lookEvery: number
  /** A publish that takes long comes less often: at most this part of the time goes into it. */
  readonly share: number
}

export const defaultPublishTimes: PublishTimes = {
  idle: 5_000,
  longest: 60_000,
  lookEvery: 1_000,
  share: 1 / 10,
}

/** Of `longest` of the times: no change waits longer for a publish by itself, but for one that is under way. */
const longestWait = 30

export interface PublishWhenIdleOptions {
  /** All that there are now. */
  readonly snapshots: () => ReadonlySet<WorkingSnapshot>
  /** Called now and then while one has a former number. Never rejects. */
  readonly leaveFormer: (snapshot: WorkingSnapshot) => Promise<void>
  readonly times: PublishTimes
  readonly logger: Logger
  /** Ends it. */
  readonly signal: AbortSignal
  /** Milliseconds, from anywhere. */
  readonly clock?: () => number
}

/** A snapshot that is not published, as it was looked at last; times by the clock. */
interface Seen {
  readonly changes: number
  /** So many changes it has had since then. */
  readonly since: number
  /** Something waits to be published since then. */
  readonly waiting: number
}

/** A change is seen by readers soon after it, and at the latest after a while. */
export class PublishWhenIdle {
  readonly #options: PublishWhenIdleOptions
  readonly #clock: () => number
  readonly #seen = new WeakMap<WorkingSnapshot, Seen>()
  /** Its next publish does not come before, as the last one has taken long. */
  readonly #rests = new WeakMap<WorkingSnapshot, number>()
  #leaveFormerAfter = 0

  constructor(options: PublishWhenIdleOptions) {
    this.#options = options
    this.#clock = options.clock ?? (() => performance.now())
  }

  /** Resolves when the signal has aborted. */
  async run(): Promise<void> {
    const { times, signal } = this.#options
    while (!signal.aborted) {
      await delay(times.lookEvery, undefined, { signal, ref: false }).catch(() => {})
      await this.look()
    }
  }

  /** Publishes what is due. Never rejects. */
  async look(): Promise<void> {
    const { snapshots, signal } = this.#options
    for (const snapshot of snapshots()) {
      if (signal.aborted) return
      await this.#lookAt(snapshot)
    }
  }

  async #lookAt(snapshot: WorkingSnapshot): Promise<void> {
    const { snapshots, signal } = this.#options
    const now = this.#clock()
    await this.#tryLeaveFormer(snapshot, now)
    // It may have been removed while others were published.
    if (signal.aborted || !snapshots().has(snapshot)) return
    if (snapshot.isPublished) this.#seen.delete(snapshot)
    else if (this.#isDue(snapshot, now)) await this.#tryPublish(snapshot, now)
  }

  async #tryLeaveFormer(snapshot: WorkingSnapshot, now: number): Promise<void> {
    const { leaveFormer, times } = this.#options
    const { publishing } = snapshot
    if (publishing.former === undefined || now < this.#leaveFormerAfter) return
    await leaveFormer(snapshot)
    if (publishing.former !== undefined) this.#leaveFormerAfter = this.#clock() + times.longest
  }

  #isDue(snapshot: WorkingSnapshot, now: number): boolean {
    const { idle, longest } = this.#options.times
    const { changes } = snapshot.tree
    const before = this.#seen.get(snapshot)
    const { waiting = now } = before ?? {}
    const since = before?.changes === changes ? before.since : now
    this.#seen.set(snapshot, { changes, since, waiting })
    if (now < (this.#rests.get(snapshot) ?? now)) return false
    if (now - since < idle && now - waiting < longest) return false
    // Not for ever, as a log that is being written never ends.
    return !snapshot.isGrowing || now - waiting >= longestWait * longest
  }

  async #tryPublish(snapshot: WorkingSnapshot, started: number): Promise<void> {
    const { times, logger, signal } = this.#options
    try {
      await snapshot.publish({ signal })
    } catch (error) {
      if (signal.aborted) return
      logger.warn(
        { snapshot: snapshot.name, error: messageOf(error) },
        'a snapshot could not be published; trying again',
      )
    }
    const now = this.#clock()
    this.#rests.set(snapshot, now + Math.min(longestWait * times.longest, (now - started) / times.share))
    this.#seen.set(snapshot, { changes: snapshot.tree.changes, since: now, waiting: now })
  }
}

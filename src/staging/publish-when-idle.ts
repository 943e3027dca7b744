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

/** Of `longest` of the times: no publish by itself waits longer. */
const longestPause = 30

export interface PublishWhenIdleOptions {
  /** All that there are now. */
  readonly snapshots: () => ReadonlySet<WorkingSnapshot>
  /** Called now and then while one has a former number. Never rejects. */
  readonly leaveFormer: (snapshot: WorkingSnapshot) => Promise<void>
  readonly times: PublishTimes
  readonly logger: Logger
  /** Ends it. */
  readonly signal: AbortSignal
}

/** A snapshot that is not published, as it was looked at last; times as of `performance.now`. */
interface Seen {
  readonly changes: number
  /** So many changes it has had since then. */
  readonly since: number
  /** Something waits to be published since then. */
  readonly waiting: number
  /** Milliseconds that its next publish comes later, as the last one has taken long. */
  readonly pause: number
}

/** A change is seen by readers soon after it, and at the latest after a while. */
export class PublishWhenIdle {
  readonly #options: PublishWhenIdleOptions
  readonly #seen = new WeakMap<WorkingSnapshot, Seen>()
  #leaveFormerAfter = 0

  constructor(options: PublishWhenIdleOptions) {
    this.#options = options
  }

  /** Resolves when the signal has aborted. */
  async run(): Promise<void> {
    const { snapshots, times, signal } = this.#options
    while (!signal.aborted) {
      await delay(times.lookEvery, undefined, { signal, ref: false }).catch(() => {})
      for (const snapshot of snapshots()) {
        if (signal.aborted) return
        await this.#look(snapshot)
      }
    }
  }

  async #look(snapshot: WorkingSnapshot): Promise<void> {
    const { snapshots, signal } = this.#options
    const now = performance.now()
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
    if (publishing.former !== undefined) this.#leaveFormerAfter = performance.now() + times.longest
  }

  #isDue(snapshot: WorkingSnapshot, now: number): boolean {
    const { idle, longest } = this.#options.times
    const { changes } = snapshot.tree
    const before = this.#seen.get(snapshot)
    const { waiting = now, pause = 0 } = before ?? {}
    if (before?.changes !== changes) {
      this.#seen.set(snapshot, { changes, since: now, waiting, pause })
      if (before === undefined || now - waiting < longest + pause) return false
    } else if (now - before.since < idle + pause) return false
    // Not for ever, as a log that is being written never ends.
    return !snapshot.isGrowing || now - waiting >= longestPause * longest
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
    const now = performance.now()
    const pause = Math.min(longestPause * times.longest, (now - started) / times.share)
    this.#seen.set(snapshot, { changes: snapshot.tree.changes, since: now, waiting: now, pause })
  }
}

import { closeSync, fsyncSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { DatabaseSync } from 'node:sqlite'
import { AnsweringThread } from '../base/answering-thread.ts'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { workerUrl } from '../base/worker-url.ts'
import { carryOver } from './checkpoint.ts'
import type { CheckpointAnswer } from './checkpoint-worker.ts'
import { stagingFault } from './staging-fault.ts'

export interface LogLimits {
  /** Commits after which the log is carried over. */
  readonly commits: number
  /** Pages of 4 KiB in a log, from which on whoever writes carries the rest over itself: only a log of which nothing is left begins anew. */
  readonly pages: number
}

/** Some megabytes, and 64 MiB. */
const usualLimits: LogLimits = { commits: 512, pages: 16_384 }

export type CheckpointThread = AnsweringThread<string, CheckpointAnswer>

/** For the logs of all working snapshots. */
export function checkpointThread(): CheckpointThread {
  return new AnsweringThread(workerUrl('./checkpoint-worker', import.meta.url))
}

/**
 * The write-ahead log of a working snapshot's database, which a thread carries over into it: that waits for the disk twice. In the event loop half of
 * what a small file cost went into it, and everybody waited a quarter of a second now and then. What was committed is safe with or without.
 */
export class WriteAheadLog implements AsyncDisposable {
  readonly #database: DatabaseSync
  readonly #path: string
  readonly #thread: CheckpointThread
  readonly #logger: Logger
  readonly #limits: LogLimits
  #commits = 0
  #carrying: Promise<void> | undefined
  /** Settles when nobody has the log open for `synced`. */
  #syncing: Promise<unknown> | undefined
  #isClosed = false

  /** `path`: of the database, which has a log, and no longer carries it over by itself. */
  constructor(
    database: DatabaseSync,
    { path, thread, logger }: { path: string; thread: CheckpointThread; logger: Logger },
    limits = usualLimits,
  ) {
    database.exec('PRAGMA wal_autocheckpoint = 0')
    this.#database = database
    this.#path = path
    this.#thread = thread
    this.#logger = logger
    this.#limits = limits
  }

  /** To be called after each commit. */
  committed(): void {
    if (this.#isClosed || ++this.#commits < this.#limits.commits || this.#carrying !== undefined) return
    this.#commits = 0
    this.#carrying = this.#carry().finally(() => {
      this.#carrying = undefined
    })
  }

  /**
   * Returns when all that was committed is on the disk, and not only in the system's memory. Throws `ChangeError`. A commit with `PRAGMA synchronous = FULL` would not do: one that sets a row to
   * what it is writes nothing to the log, and then SQLite does not sync it.
   */
  sync(): void {
    try {
      const log = openSync(`${this.#path}-wal`, 'r')
      try {
        fsyncSync(log)
      } finally {
        closeSync(log)
      }
    } catch (error) {
      throw stagingFault(error)
    }
  }

  /** As `sync`, resolves, and rejects. */
  async synced(): Promise<void> {
    const synced = this.#fsync()
    this.#syncing = Promise.allSettled([this.#syncing, synced])
    await synced
  }

  /** Resolves when what is being carried over is. */
  async carried(): Promise<void> {
    await this.#carrying
  }

  /** Resolves when nobody else uses the database, nor will for what is committed yet. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await this.carried()
    await this.#syncing
  }

  async #fsync(): Promise<void> {
    try {
      await using log = await open(`${this.#path}-wal`)
      await log.sync()
    } catch (error) {
      throw stagingFault(error)
    }
  }

  async #carry(): Promise<void> {
    const answer = await this.#thread.ask(this.#path).catch((error: unknown) => ({ error }))
    if ('error' in answer)
      this.#logger.warn(
        { path: this.#path, error: messageOf(answer.error) },
        'a log could not be carried over',
      )
    // Of what the thread has carried over nothing is done twice.
    if (!this.#database.isOpen || !('error' in answer || answer.pages > this.#limits.pages)) return
    try {
      carryOver(this.#database)
    } catch (error) {
      // The next time, then.
      this.#logger.warn({ path: this.#path, error: messageOf(error) }, 'a log could not be carried over')
    }
  }
}

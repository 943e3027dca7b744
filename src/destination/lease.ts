import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Abortable, orAborted } from '../base/abort.ts'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { DestinationError } from './errors.ts'
import type { LeaseRecord, Owner, OwnerRecord } from './owner-record.ts'
import { ageText, type OwnerFile, type Ownership, ownerText } from './ownership.ts'
import { isProcessGone, processIdentity } from './process-identity.ts'
import { inUseError, ownedError, unreadableError, waitText } from './refusals.ts'

export interface LeaseOptions {
  readonly file: OwnerFile
  /** This server. */
  readonly owner: Owner
  /** For others who find it: what the holder is. */
  readonly program: string
  /** For messages: `s3://bucket/path` or a folder. */
  readonly description: string
  /** The command that makes the directory this server's, for advice. */
  readonly takeover: string
  readonly logger: Logger
  /** Told, in one line, for whom it waits, each time it does; it is in the log, too. */
  readonly onWait?: ((text: string) => void) | undefined
  /** Seconds for which a renewal is good. */
  readonly seconds?: number | undefined
}

export const leaseDefaults = Object.freeze({
  /** A server that died keeps others of its own processes out for so long; a renewal costs one request. Seconds. */
  seconds: 60,
  /** Part of the time after which it is renewed: two renewals may fail. */
  renewAfter: 1 / 3,
  /** Part of the time before its end from which on nothing is written any more: what is under way then has this long to arrive. */
  margin: 1 / 6,
  /** HTTP tells time in whole seconds: an age is wrong by as much. Seconds. */
  granularity: 1,
  /** Milliseconds between tries of a renewal that failed. */
  retryDelay: 1_000,
})

/**
 * The right to write to a backup directory, for one process at a time. `signal` aborts when it is lost; `check` must come before every write.
 *
 * It is lost by the holder's own clock `margin` before anybody else may take it: the holder counts from before it asks for a renewal, the others from when the store wrote it.
 * Both count time that has gone by, and never compare the clocks of two machines.
 */
export class Lease implements AsyncDisposable {
  readonly token: number
  readonly #options: LeaseOptions
  readonly #seconds: number
  #record: HeldRecord
  readonly #lost = new AbortController()
  readonly #closing = new AbortController()
  #etag: string
  #goodSince: Instant
  #renewing: Promise<void> = Promise.resolve()

  private constructor(options: LeaseOptions, record: HeldRecord, etag: string, since: Instant) {
    this.#options = options
    this.#seconds = options.seconds ?? leaseDefaults.seconds
    this.#record = record
    this.#etag = etag
    this.#goodSince = since
    this.token = record.token
  }

  /**
   * Takes the lease of a directory that nobody owns, or that this server owns and no other process holds. Waits for one to run out whose holder does not renew it. Rejects with
   * `owned`, `in-use`, `bad-owner` or a `StoreError`.
   */
  static async acquire(options: LeaseOptions, { signal }: Abortable = {}): Promise<Lease> {
    const { file, logger, description, onWait } = options
    let asked: { readonly record: HeldRecord; readonly since: Instant } | undefined
    for (;;) {
      const found = await readOwner(options, { signal })
      // It was given, only the answer was lost.
      if (asked !== undefined && isHeldBy(asked.record, found))
        return Lease.#begin(options, asked.record, found.etag, asked.since)
      const wait = secondsUntilGiven(found, options)
      if (found !== undefined && wait > 0) {
        const text = waitText(found, Math.ceil(wait), options)
        logger.warn({ destination: description, seconds: Math.ceil(wait) }, text)
        onWait?.(text)
        await orAborted(delay(wait * 1000), signal)
        continue
      }
      asked = { record: nextRecord(found, options), since: now() }
      const etag = await file.replace(found?.etag, asked.record, { signal })
      if (etag !== undefined) return Lease.#begin(options, asked.record, etag, asked.since)
    }
  }

  static #begin(options: LeaseOptions, record: HeldRecord, etag: string, since: Instant): Lease {
    const { file, logger, description } = options
    if (file.isConditional === false)
      logger.warn(
        { destination: description },
        'this store ignores conditions: writers who begin in the same moment are not kept apart for certain',
      )
    const lease = new Lease(options, record, etag, since)
    lease.#renewing = lease.#renewAgainAndAgain()
    return lease
  }

  /** Aborts, with a `lease-lost` error as its reason, when the lease is lost. */
  get signal(): AbortSignal {
    return this.#lost.signal
  }

  /** Throws `lease-lost` unless the lease holds now. A process that was stopped, or a machine that slept, learns it here. */
  check(): void {
    if (!this.#lost.signal.aborted && secondsSince(this.#goodSince) >= this.#goodFor)
      this.#lose('it could not be renewed in time')
    this.#lost.signal.throwIfAborted()
  }

  /**
   * Asks the store whether the lease is still this holder's, and rejects with `lease-lost` when it was taken, which `check` learns only at the next renewal; with a
   * `StoreError` or `bad-owner` when nobody can say.
   */
  async confirm({ signal }: Abortable = {}): Promise<void> {
    const found = await this.#options.file.read({ signal })
    if (!isHeldBy(this.#record, found)) this.#lose(this.#lossText(found))
    this.check()
  }

  /** Gives the lease back, so that the next writer need not wait. The directory stays this server's. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#renewing
    if (this.#lost.signal.aborted) return
    try {
      await this.#options.file.replace(this.#etag, { ...this.#record, lease: undefined })
    } catch (error) {
      this.#options.logger.warn(
        { error: messageOf(error) },
        'the lease could not be given back; it runs out by itself',
      )
    }
    this.#lose('it was given back')
  }

  get #goodFor(): number {
    return this.#seconds * (1 - leaseDefaults.margin)
  }

  async #renewAgainAndAgain(): Promise<void> {
    const { signal } = this.#closing
    const pause = (milliseconds: number): Promise<unknown> =>
      delay(milliseconds, undefined, { signal, ref: false }).catch(() => {})
    await pause(this.#seconds * leaseDefaults.renewAfter * 1000)
    for (;;) {
      this.#lapse()
      if (signal.aborted || this.#lost.signal.aborted) return
      const isRenewed = await this.#renew()
      await pause(isRenewed ? this.#seconds * leaseDefaults.renewAfter * 1000 : leaseDefaults.retryDelay)
    }
  }

  /** False when the store could not be asked; a lease that is another's now is lost. */
  async #renew(): Promise<boolean> {
    const { file, logger } = this.#options
    const since = now()
    // A request that hangs must not keep the lease from being found lost.
    const left = Math.max(0, this.#goodFor - secondsSince(this.#goodSince))
    const { lease } = this.#record
    this.#record = { ...this.#record, lease: { ...lease, renewal: lease.renewal + 1 } }
    const signal = AbortSignal.timeout(Math.ceil(left * 1000))
    try {
      const etag = await file.replace(this.#etag, this.#record, { signal })
      if (etag !== undefined) {
        this.#etag = etag
        // An answer that comes too late must not bring back what is lost already.
        this.check()
        this.#goodSince = since
        return true
      }
      const found = await file.read({ signal })
      if (isHeldBy(this.#record, found)) {
        // A renewal arrived whose answer did not.
        this.#etag = found.etag
        return false
      }
      this.#lose(this.#lossText(found))
    } catch (error) {
      if (this.#lost.signal.aborted) return false
      logger.warn({ error: messageOf(error) }, 'the lease could not be renewed; trying again')
    }
    return false
  }

  #lapse(): void {
    try {
      this.check()
    } catch {
      // Its holder is told by the signal.
    }
  }

  #lossText(found: Ownership | undefined): string {
    if (found === undefined) return `${this.#options.description} has no owner any more`
    return `${ownerText(found)} has taken it (${ageText(found.age)} ago)`
  }

  #lose(why: string): void {
    if (this.#lost.signal.aborted) return
    const { description, logger } = this.#options
    const error = new DestinationError('lease-lost', `the right to write to ${description} is lost: ${why}`)
    if (!this.#closing.signal.aborted) logger.error({ destination: description }, error.message)
    this.#lost.abort(error)
  }
}

type HeldRecord = OwnerRecord & { readonly lease: LeaseRecord }

/** Who asks for a lease, and of what. */
type Asked = Omit<LeaseOptions, 'program' | 'logger' | 'onWait' | 'seconds'>

/** Rejects as `Lease.acquire` would now, and takes nothing. */
export async function refuseOthers(options: Asked, context: Abortable = {}): Promise<void> {
  secondsUntilGiven(await readOwner(options, context), options)
}

/** Seconds until the lease can be taken. Throws `owned` or `in-use`. */
function secondsUntilGiven(found: Ownership | undefined, options: Asked): number {
  if (found === undefined) return 0
  if (found.record.owner.id !== options.owner.id) throw ownedError(found, options)
  const wait = secondsToWait(found)
  if (wait === undefined) throw inUseError(found, options)
  return wait
}

async function readOwner(options: Asked, { signal }: Abortable): Promise<Ownership | undefined> {
  try {
    return await options.file.read({ signal })
  } catch (error) {
    const isUnreadable = error instanceof DestinationError && error.code === 'bad-owner'
    throw isUnreadable ? unreadableError(error, options) : error
  }
}

/** Whether what stands there now says that the holder of `record` may write. */
function isHeldBy({ lease: { holder } }: HeldRecord, found: Ownership | undefined): found is Ownership {
  const lease = found?.record.lease
  return lease?.holder === holder && !lease.revoked
}

/** By two clocks: the monotonic one does not count while the machine sleeps, the other may be set. */
interface Instant {
  readonly monotonic: number
  readonly wall: number
}

function now(): Instant {
  return { monotonic: performance.now(), wall: Date.now() }
}

function secondsSince({ monotonic, wall }: Instant): number {
  return Math.max(performance.now() - monotonic, Date.now() - wall) / 1000
}

/** Until the lease that was found can be taken; undefined when its holder is at work. */
function secondsToWait({ record: { lease }, age }: Ownership): number | undefined {
  if (lease === undefined) return 0
  if (!lease.revoked && isProcessGone(lease.pid, lease.process)) return 0
  const left = lease.seconds + leaseDefaults.granularity - age
  if (left <= 0) return 0
  const isRenewed = age < lease.seconds * leaseDefaults.renewAfter * 1.5
  return isRenewed && !lease.revoked ? undefined : left
}

function nextRecord(found: Ownership | undefined, { owner, program, seconds }: LeaseOptions): HeldRecord {
  const token = (found?.record.token ?? 0) + 1
  const lease: LeaseRecord = {
    token,
    holder: randomUUID(),
    renewal: 0,
    seconds: seconds ?? leaseDefaults.seconds,
    revoked: false,
    since: Math.floor(Date.now() / 1000),
    program,
    pid: process.pid,
    process: processIdentity(process.pid) ?? '',
  }
  return { owner, token, lease }
}

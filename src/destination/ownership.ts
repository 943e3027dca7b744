import { setTimeout as delay } from 'node:timers/promises'
import { type Abortable, orAborted } from '../base/abort.ts'
import { StoreError } from '../store/errors.ts'
import { type ObjectKey, type ObjectStore, objectKey, type PutOptions } from '../store/object-store.ts'
import { ownerKey } from './layout.ts'
import { type OwnerRecord, parseOwner, serializeOwner } from './owner-record.ts'

/** What `jetbackup.owner` says, and which version of it that is. */
export interface Ownership {
  readonly record: OwnerRecord
  readonly etag: string
  /** Seconds since it was written, by the store's own clock where it tells it: the clocks of two servers never matter. */
  readonly age: number
}

const key: ObjectKey = objectKey(ownerKey)

/** Milliseconds that two writers of a store without conditions leave each other to be seen. */
const settling = 2_000

/**
 * Reads and changes the owner of a backup directory, each change only if nothing has changed since it was read. Stores that ignore the condition are found out
 * by trying; there, two who change it in the same moment are told apart only by looking again.
 */
export class OwnerFile {
  readonly #store: ObjectStore
  /** undefined until it is known. */
  #isConditional: boolean | undefined

  /** `isConditional`: whether the store is known to honour If-None-Match and If-Match of a put, or not to. */
  constructor(store: ObjectStore, isConditional?: boolean) {
    this.#store = store
    this.#isConditional = isConditional
  }

  /** Whether another writer can be kept out with certainty; undefined until something was written. */
  get isConditional(): boolean | undefined {
    return this.#isConditional
  }

  /** undefined when nobody owns the directory. Rejects with `bad-owner` or a `StoreError`. */
  async read(options: Abortable = {}): Promise<Ownership | undefined> {
    const found = await this.#store.get(key, options)
    if (found === undefined) return undefined
    const record = parseOwner(found.bytes, `${this.#store.description}/${ownerKey}`)
    const now = found.answered ?? Date.now()
    return { record, etag: found.etag, age: Math.max(0, (now - found.modified) / 1000) }
  }

  /** The etag of `jetbackup.owner` whether it can be understood or not; undefined when it is not there. */
  async etag(options: Abortable = {}): Promise<string | undefined> {
    return (await this.#store.head(key, options))?.etag
  }

  /**
   * Puts `record` in place of the version `before`, or of none. Returns the new etag; undefined when something else has been written in between, or may have been.
   */
  async replace(
    before: string | undefined,
    record: OwnerRecord,
    options: Abortable = {},
  ): Promise<string | undefined> {
    if (this.#isConditional === false) return this.#replaceByLooking(before, record, options)
    const condition = before === undefined ? { ifNoneMatch: '*' as const } : { ifMatch: before }
    let etag: string
    try {
      etag = (await this.#store.put(key, serializeOwner(record), { ...condition, ...options })).etag
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (error.code === 'exists' || error.code === 'changed') return undefined
      if (error.code !== 'unsupported') throw error
      this.#isConditional = false
      return this.#replaceByLooking(before, record, options)
    }
    this.#isConditional ??=
      (await this.#isRefused(record, { ifNoneMatch: '*', ...options })) &&
      (await this.#isRefused(record, { ifMatch: '"0"', ...options }))
    return this.#isConditional ? etag : this.#settled(record, options)
  }

  /** Whether what stands there now is not replaced under a condition that does not hold. */
  async #isRefused(record: OwnerRecord, options: PutOptions): Promise<boolean> {
    try {
      await this.#store.put(key, serializeOwner(record), options)
      return false
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (error.code === 'unsupported') return false
      if (error.code !== 'exists' && error.code !== 'changed') throw error
      return true
    }
  }

  async #replaceByLooking(
    before: string | undefined,
    record: OwnerRecord,
    options: Abortable,
  ): Promise<string | undefined> {
    if ((await this.etag(options)) !== before) return undefined
    await this.#store.put(key, serializeOwner(record), options)
    return this.#settled(record, options)
  }

  /** The etag of `record` if it still stands there after a while; undefined when another writer has put his own in its place. */
  async #settled(record: OwnerRecord, options: Abortable): Promise<string | undefined> {
    await orAborted(delay(settling), options.signal)
    const now = await this.read(options)
    const isOurs = now !== undefined && serializeOwner(now.record).equals(serializeOwner(record))
    return isOurs ? now.etag : undefined
  }
}

/** For messages: `web1 (owner "backup")`. */
export function ownerText({ record: { owner } }: Pick<Ownership, 'record'>): string {
  return owner.name === owner.host ? owner.host : `${owner.name} (${owner.host})`
}

/** For messages: `12 s`, `3 min`, `5 h`, `9 days`. */
export function ageText(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`
}

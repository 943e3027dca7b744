import { messageOf } from '../base/errors.ts'
import { DestinationError } from './errors.ts'

/** A server as others are told of it. */
export interface Owner {
  /** Of the server's state folder, made once: the same host installed anew is another server. */
  readonly id: string
  readonly host: string
  /** As it calls itself in its settings. */
  readonly name: string
}

/** Which process of a server may write. */
export interface LeaseRecord {
  /** Grows by one with each lease on the directory: whoever holds a greater one came later. */
  readonly token: number
  /** Random, so that a holder knows its own. */
  readonly holder: string
  /** Grows by one with each renewal, so that every one has an etag of its own: who takes the lease overwrites none unseen. */
  readonly renewal: number
  /** Seconds for which each renewal is good. */
  readonly seconds: number
  /** Taken away from its holder, who may not know it yet: nobody has a lease until it has run out. */
  readonly revoked: boolean
  /** Epoch seconds by the holder's clock; for people. */
  readonly since: number
  /** What the holder is, and how another process of its machine can see whether it still runs. */
  readonly program: string
  readonly pid: number
  /** Boot, process namespace and start of the process: together no two processes share them with the `pid`. */
  readonly process: string
}

/** The content of `jetbackup.owner` (`native-notes/format.md` §9): whose backup directory it is, and who may write there now. */
export interface OwnerRecord {
  readonly owner: Owner
  /** The last token given out. */
  readonly token: number
  readonly lease: LeaseRecord | undefined
}

const format = 1
const largest = 64 << 10

export function serializeOwner({ owner, token, lease }: OwnerRecord): Buffer {
  return Buffer.from(`${JSON.stringify({ format, owner, token, lease: lease ?? null }, undefined, 2)}\n`)
}

/** Throws `bad-owner`: then nobody knows whose directory it is, and nobody may write. */
export function parseOwner(bytes: Buffer, where: string): OwnerRecord {
  const bad = (what: string, cause?: unknown): DestinationError =>
    new DestinationError('bad-owner', `${where} does not say whose directory it is (${what})`, { cause })
  if (bytes.length > largest) throw bad(`${bytes.length} bytes`)
  let json: unknown
  try {
    json = JSON.parse(bytes.toString())
  } catch (error) {
    throw bad(messageOf(error), error)
  }
  const record = membersOf(json)
  if (record.format !== format) throw bad(`format ${JSON.stringify(record.format)}`)
  const { id, host, name } = membersOf(record.owner)
  if (typeof id !== 'string' || typeof host !== 'string' || typeof name !== 'string') throw bad('no owner')
  if (!isToken(record.token)) throw bad('no token')
  const lease = record.lease === null ? undefined : leaseOf(membersOf(record.lease))
  if (lease === 'bad') throw bad('half a lease')
  return { owner: { id, host, name }, token: record.token, lease }
}

function leaseOf(members: Record<string, unknown>): LeaseRecord | 'bad' {
  const { token, holder, renewal, seconds, revoked, since, program, pid, process } = members
  const isRight =
    isToken(token) &&
    typeof holder === 'string' &&
    isToken(renewal) &&
    typeof seconds === 'number' &&
    seconds > 0 &&
    seconds <= 86_400 &&
    typeof revoked === 'boolean' &&
    typeof since === 'number' &&
    typeof program === 'string' &&
    isToken(pid) &&
    typeof process === 'string'
  return isRight ? { token, holder, renewal, seconds, revoked, since, program, pid, process } : 'bad'
}

function isToken(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function membersOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

import { DestinationError } from './errors.ts'
import { namesakeText, withNamesakeAdvice } from './namesake.ts'
import type { Owner } from './owner-record.ts'
import { ageText, type Ownership, ownerText } from './ownership.ts'

/** What they say to a writer who may not have the lease. */
interface Refused {
  /** This server. */
  readonly owner: Owner
  /** For messages: `s3://bucket/path` or a folder. */
  readonly description: string
  /** The command that makes the directory this server's. */
  readonly takeover: string
}

export function ownedError(found: Ownership, { owner, description, takeover }: Refused): DestinationError {
  const { lease, owner: other } = found.record
  const isLive = lease !== undefined && found.age < lease.seconds
  const advice = `mount it with --read-only, or take it over for good: ${takeover}`
  return new DestinationError(
    'owned',
    `${description} belongs to ${ownerText(found)}${namesakeText(other, owner)}, ` +
      `${isLive ? `which is writing to it (${lease.program}, ${ageText(found.age)} ago)` : `last heard of ${ageText(found.age)} ago`}: ` +
      withNamesakeAdvice(advice, other, owner),
  )
}

export function inUseError(found: Ownership, { description }: Refused): DestinationError {
  const { lease, owner } = found.record
  return new DestinationError(
    'in-use',
    `${description} is being written to by ${lease?.program} (process ${lease?.pid} on ${owner.host}, heard of ${ageText(found.age)} ago): ` +
      'wait for it to end, or mount the destination with --read-only',
  )
}

/** Not refused yet: what is waited for, at most `seconds`. */
export function waitText(found: Ownership, seconds: number, { description }: Refused): string {
  const { lease, owner } = found.record
  // The owner is the new one already, and no longer the holder's.
  const holder = lease?.revoked
    ? 'whoever it was taken from may write until then'
    : `${lease?.program} (process ${lease?.pid} on ${owner.host}, last heard of ${ageText(found.age)} ago) has not given it back`
  return `waiting for at most ${seconds} s until the lease of ${description} has run out: ${holder}`
}

/** `cause`: a `bad-owner`. */
export function unreadableError(cause: DestinationError, { takeover }: Refused): DestinationError {
  return new DestinationError(
    'bad-owner',
    `${cause.message}: mount it with --read-only, or take it over for good: ${takeover}`,
    { cause },
  )
}

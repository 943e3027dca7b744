import { randomUUID } from 'node:crypto'
import type { Abortable } from '../base/abort.ts'
import { leaseDefaults } from './lease.ts'
import type { LeaseRecord, Owner } from './owner-record.ts'
import type { OwnerFile, Ownership } from './ownership.ts'

/** What was shown to who decided: nobody's is undefined; `unreadable` could not be understood. */
export type FoundOwner = Ownership | 'unreadable' | undefined

/**
 * Makes a backup directory this server's, whoever owned it. A lease on it is revoked: its holder can renew it no more, and until it has run out nobody is given another. False when it
 * has changed since it was `found`.
 */
export async function takeOver(
  file: OwnerFile,
  owner: Owner,
  found: FoundOwner,
  options: Abortable = {},
): Promise<boolean> {
  const etag = found === 'unreadable' ? await file.etag(options) : found?.etag
  const before = found === 'unreadable' ? undefined : found?.record
  const token = (before?.token ?? 0) + 1
  const lease = found === 'unreadable' ? unknownLease(token) : liveLease(found)
  const record = { owner, token, lease: lease && { ...lease, revoked: true } }
  return (await file.replace(etag, record, options)) !== undefined
}

/** Seconds for which nobody is given a lease after such a takeover. */
export function secondsUntilFree(found: FoundOwner): number {
  const seconds = found === 'unreadable' ? leaseDefaults.seconds : liveLease(found)?.seconds
  return seconds === undefined ? 0 : seconds + leaseDefaults.granularity
}

/** One that has run out is not to be waited for again, as the age begins anew. */
function liveLease(found: Ownership | undefined): LeaseRecord | undefined {
  const lease = found?.record.lease
  if (found === undefined || lease === undefined) return undefined
  return found.age < lease.seconds + leaseDefaults.granularity ? lease : undefined
}

/** Whoever wrote what cannot be understood may be at work: he has as long to find it out as any other. */
function unknownLease(token: number): LeaseRecord {
  return {
    token,
    holder: randomUUID(),
    renewal: 0,
    seconds: leaseDefaults.seconds,
    revoked: true,
    since: Math.floor(Date.now() / 1000),
    program: 'unknown',
    pid: 0,
    process: '',
  }
}

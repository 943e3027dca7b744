import type { Abortable } from '../base/abort.ts'
import type { Owner } from './owner-record.ts'
import type { OwnerFile, Ownership } from './ownership.ts'

/**
 * Makes a backup directory this server's, whoever owned it. A lease on it is revoked: its holder can renew it no more, and until it has run out nobody is given another. `found`: what
 * was shown to who decided; undefined when it was nobody's, `unreadable` when it could not be understood. False when it has changed since.
 */
export async function takeOver(
  file: OwnerFile,
  owner: Owner,
  found: Ownership | 'unreadable' | undefined,
  options: Abortable = {},
): Promise<boolean> {
  const etag = found === 'unreadable' ? await file.etag(options) : found?.etag
  const before = found === 'unreadable' ? undefined : found?.record
  const lease = before?.lease
  const record = {
    owner,
    token: (before?.token ?? 0) + 1,
    lease: lease && { ...lease, revoked: true },
  }
  return (await file.replace(etag, record, options)) !== undefined
}

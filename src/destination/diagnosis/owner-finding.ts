import { DestinationError } from '../errors.ts'
import type { Owner } from '../owner-record.ts'
import { ageText, type Ownership, ownerText } from '../ownership.ts'
import { bad, type Finding, good } from './finding.ts'

/** Whose the backup directory is. `takeover`: the command that makes it this server's. */
export function ownerFinding(
  found: Ownership | DestinationError | undefined,
  { self, isReadOnly, takeover }: { self: Owner; isReadOnly: boolean; takeover: string },
): Finding {
  if (found === undefined)
    return good('owner', isReadOnly ? "nobody's" : "nobody's yet: the first to write makes it its own")
  if (found instanceof DestinationError)
    return isReadOnly
      ? good('owner', 'unreadable, which does not matter for reading')
      : bad('owner', 'jetbackup.owner does not say whose it is', takeover)
  const writing = writerText(found)
  if (found.record.owner.id === self.id) return good('owner', `this server${writing}`)
  const owner = `${ownerText(found)}${writing || `, last heard of ${ageText(found.age)} ago`}`
  if (isReadOnly) return good('owner', `${owner}; it may be read all the same`)
  return bad(
    'owner',
    `it belongs to ${owner}`,
    `use it with --read-only, or take it over for good: ${takeover}`,
  )
}

function writerText({ record: { lease }, age }: Ownership): string {
  return lease !== undefined && age < lease.seconds
    ? `, which is being written from by ${lease.program} (process ${lease.pid})`
    : ''
}

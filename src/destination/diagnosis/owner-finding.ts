import { DestinationError } from '../errors.ts'
import { namesakeText, withNamesakeAdvice } from '../namesake.ts'
import type { Owner } from '../owner-record.ts'
import { ageText, type Ownership, ownerText } from '../ownership.ts'
import { bad, type Finding, good } from './finding.ts'

interface OwnerView {
  /** This server. */
  readonly self: Owner
  readonly isReadOnly: boolean
  /** The backup directory around the destination, where that is what has the owner. */
  readonly around: string | undefined
  /** The command that makes the backup directory this server's. */
  readonly takeover: string
}

/** Whose the backup directory is. */
export function ownerFinding(
  found: Ownership | DestinationError | undefined,
  { self, isReadOnly, around, takeover }: OwnerView,
): Finding {
  if (found === undefined)
    return good('owner', isReadOnly ? "nobody's" : "nobody's yet: the first to write makes it its own")
  const file = around === undefined ? 'jetbackup.owner' : `jetbackup.owner in ${around}, around it,`
  if (found instanceof DestinationError)
    return isReadOnly
      ? good('owner', 'unreadable, which does not matter for reading')
      : bad('owner', `${file} does not say whose it is`, takeover)
  const writing = writerText(found)
  const { owner: other } = found.record
  const part = around === undefined ? '' : `, as a part of ${around}`
  if (other.id === self.id) return good('owner', `this server${part}${writing}`)
  const owner = `${ownerText(found)}${namesakeText(other, self)}${part}${writing || `, last heard of ${ageText(found.age)} ago`}`
  if (isReadOnly) return good('owner', `${owner}; it may be read all the same`)
  const advice = `use it with --read-only, or take ${around ?? 'it'} over for good: ${takeover}`
  return bad('owner', `it belongs to ${owner}`, withNamesakeAdvice(advice, other, self))
}

function writerText({ record: { lease }, age }: Ownership): string {
  return lease !== undefined && age < lease.seconds
    ? `, which is being written from by ${lease.program} (process ${lease.pid})`
    : ''
}

import { DestinationError } from './errors.ts'
import type { Destination } from './parse-destination.ts'

/** Throws `read-only-destination` for one whose settings let nobody write there. */
export function refuseReadOnly({ named }: Destination): void {
  if (!named?.readOnly) return
  const why =
    named.indexMapping === undefined
      ? 'its settings say read_only = true, as another server or destination may write there'
      : 'its settings have an index_mapping, as another program writes there'
  throw new DestinationError('read-only-destination', `nothing is written to ${named.name}: ${why}`)
}

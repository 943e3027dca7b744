import { foreignAmong, listSnapshots } from '../snapshot/catalog.ts'
import { SnapshotError } from '../snapshot/errors.ts'
import type { ObjectReader } from '../store/object-store.ts'
import { firstRepository } from './first-repository.ts'

/**
 * Throws `foreign` where something else has written the first repository that there is: whatever was asked, such a destination is only read. Before anything is written there, the
 * lease included. What else is mixed into a destination is refused where it is met.
 */
export async function refuseForeign(reader: ObjectReader): Promise<void> {
  const { prefix } = await firstRepository(reader)
  if (prefix === undefined) return
  const foreign = foreignAmong(await listSnapshots(reader, prefix))
  if (foreign === undefined) return
  throw new SnapshotError(
    'foreign',
    `${reader.description} is only for reading, as jbfs did not write ${prefix}${foreign.name}: mount it without --read-write, or choose another backup directory for what is to be written`,
  )
}

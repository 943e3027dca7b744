import type { Abortable } from '../../base/abort.ts'
import { StoreError } from '../../store/errors.ts'
import { type ObjectMetadata, type ObjectReader, objectKey } from '../../store/object-store.ts'
import { ownerKey } from '../layout.ts'
import type { Destination } from '../parse-destination.ts'
import { findingOf } from './causes.ts'
import { bad, doubtful, type Finding, good, untried } from './finding.ts'

/** Lists, and reads a byte of what there is. */
export async function* readFindings(
  store: ObjectReader,
  destination: Destination,
  options: Abortable,
): AsyncIterable<Finding> {
  let present: ObjectMetadata | undefined
  try {
    present = await firstObject(store, options)
    yield good('list', present === undefined ? 'allowed; there is nothing yet' : 'allowed')
  } catch (error) {
    const finding = findingOf(error, destination)
    // Another region refuses before it looks at keys.
    if (finding.check === 'region') yield untried('keys')
    yield finding
    if (finding.check !== 'list') return
  }
  yield await readFinding(store, present, options)
}

/** Any object below the destination, one with bytes if there is; undefined when there is none. */
async function firstObject(store: ObjectReader, options: Abortable): Promise<ObjectMetadata | undefined> {
  for await (const { objects } of store.list('', options))
    if (objects.length > 0) return objects.find(({ size }) => size > 0) ?? objects[0]
  return undefined
}

async function readFinding(
  store: ObjectReader,
  present: ObjectMetadata | undefined,
  options: Abortable,
): Promise<Finding> {
  const advice = 'give the keys the permission s3:GetObject'
  const range = present !== undefined && present.size > 0 ? { offset: 0, length: 1 } : undefined
  try {
    const body = await store.get(present?.key ?? objectKey(ownerKey), { ...options, range })
    return good('read', body === undefined ? 'there is nothing to read yet' : 'allowed')
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    if (present !== undefined) return bad('read', error.message, advice)
    // To who may not list, S3 does not say that a key is missing.
    return doubtful('read', 'not known: without a listing there is nothing to try it on', advice)
  }
}

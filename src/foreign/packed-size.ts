import type { Abortable } from '../base/abort.ts'
import { type Container, containerOf, headLength } from '../base/container.ts'
import { Semaphore } from '../base/semaphore.ts'
import type { ObjectReader } from '../store/object-store.ts'
import type { NamedObject } from './object-names.ts'

export interface LookedAtObject extends NamedObject {
  readonly container: Container
  /** Bytes that it unpacks to, below 4 GiB: gzip tells them at its end (RFC 1952 §2.3.1). Undefined: not known. */
  readonly unpackedSize: number | undefined
}

/** Bytes of the shortest gzip. */
const leastGzip = 20

const atOnce = 8

/** Looks at the first bytes of each object, and at the last four of those that are gzip. What is gone meanwhile is left out. */
export async function lookAtObjects(
  store: ObjectReader,
  objects: readonly NamedObject[],
  { signal }: Abortable = {},
): Promise<LookedAtObject[]> {
  const places = new Semaphore(atOnce)
  const looked = objects.map(async (object) => {
    using _place = await places.acquire({ signal })
    return lookAt(store, object, { signal })
  })
  return (await Promise.all(looked)).filter((object) => object !== undefined)
}

async function lookAt(
  store: ObjectReader,
  object: NamedObject,
  { signal }: Abortable,
): Promise<LookedAtObject | undefined> {
  const { key, size } = object
  if (size === 0) return { ...object, container: 'plain', unpackedSize: 0 }
  const head = await store.get(key, { range: { offset: 0, length: headLength }, signal })
  if (head === undefined) return undefined
  const container = containerOf(head.bytes)
  if (container !== 'gzip' || size < leastGzip)
    return { ...object, container, unpackedSize: container === 'plain' ? size : undefined }
  const end = await store.get(key, { range: { offset: size - 4, length: 4 }, ifMatch: head.etag, signal })
  return { ...object, container, unpackedSize: end?.bytes.readUInt32LE(0) }
}

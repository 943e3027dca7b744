import type { Abortable } from '../base/abort.ts'
import { type Container, type Content, containerOf, contentOf } from '../base/container.ts'
import type { ObjectKey, ObjectMetadata, ObjectReader } from '../store/object-store.ts'
import { ForeignError } from './errors.ts'
import { unpacked } from './unpack.ts'

export interface Recognised extends ObjectMetadata {
  readonly container: Container
  /** Of the unpacked bytes. */
  readonly content: Content
}

/** Bytes that are fetched to look at: bzip2 gives the first only after a block of up to 900 kB. */
const looked = 1 << 20

/** Says by its first bytes what an object is; undefined when there is none. */
export async function recognise(
  store: ObjectReader,
  key: ObjectKey,
  { signal }: Abortable = {},
): Promise<Recognised | undefined> {
  const metadata = await store.head(key, { signal })
  if (metadata === undefined) return undefined
  if (metadata.size === 0) return { ...metadata, container: 'plain', content: 'unknown' }
  const body = await store.get(key, { range: { offset: 0, length: looked }, ifMatch: metadata.etag, signal })
  if (body === undefined) return undefined
  const { container, head } = await headOf(body.bytes, { signal })
  return { ...metadata, container, content: contentOf(head) }
}

/** The first of the unpacked bytes; none when they cannot be unpacked. */
async function headOf(bytes: Buffer, { signal }: Abortable): Promise<{ container: Container; head: Buffer }> {
  const container = containerOf(bytes)
  try {
    for await (const chunk of unpacked(container, one(bytes), { limit: Number.POSITIVE_INFINITY, signal }))
      return { container, head: chunk }
  } catch (error) {
    if (!(error instanceof ForeignError)) throw error
  }
  return { container, head: Buffer.alloc(0) }
}

async function* one(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes
}

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

/** Bytes that are fetched to look at; and where they do not unpack to any: a block of bzip2 has up to 900 kB, one of zstd 128. */
const looked = [4 << 10, 1 << 20]

/** Says by its first bytes what an object is; undefined when there is none. */
export async function recognise(
  store: ObjectReader,
  key: ObjectKey,
  { signal }: Abortable = {},
): Promise<Recognised | undefined> {
  const metadata = await store.head(key, { signal })
  return metadata && (await recogniseListed(store, metadata, { signal }))
}

/** As `recognise`, for one whose metadata is known. */
export async function recogniseListed(
  store: ObjectReader,
  { key, size, etag, modified }: ObjectMetadata,
  { signal }: Abortable = {},
): Promise<Recognised | undefined> {
  let container: Container = 'plain'
  let head: Buffer = Buffer.alloc(0)
  for (const length of size === 0 ? [] : looked) {
    const body = await store.get(key, { range: { offset: 0, length }, ifMatch: etag, signal })
    if (body === undefined) return undefined
    container = containerOf(body.bytes)
    head = await unpackedHead(container, body.bytes, { signal })
    if (head.length > 0 || length >= size) break
  }
  return { key, size, etag, modified, container, content: contentOf(head) }
}

/** The first of the unpacked bytes; none when they cannot be unpacked. */
async function unpackedHead(container: Container, bytes: Buffer, { signal }: Abortable): Promise<Buffer> {
  try {
    for await (const chunk of unpacked(container, one(bytes), { limit: Number.POSITIVE_INFINITY, signal }))
      return chunk
  } catch (error) {
    if (!(error instanceof ForeignError) || error.code === 'no-unpacker') throw error
  }
  return Buffer.alloc(0)
}

async function* one(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes
}

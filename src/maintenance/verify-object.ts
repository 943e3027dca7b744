import { createHash } from 'node:crypto'
import type { Abortable } from '../base/abort.ts'
import { ForeignError } from '../foreign/errors.ts'
import { unpacked } from '../foreign/unpack.ts'
import { StoreError } from '../store/errors.ts'
import type { ObjectKey, ObjectReader } from '../store/object-store.ts'
import { retrying } from '../store/with-retry.ts'

/** Up to here (bytes) an object is got whole, which costs a third of a stream; larger ones go through in pieces. */
const largestWhole = 1 << 20

/** What the bytes of an object are, against what an index says of them. */
export type Verdict = 'good' | 'missing' | 'altered' | StoreError

export interface ExpectedObject {
  readonly key: ObjectKey
  /** Bytes. */
  readonly size: number
  /** 32 bytes, unpacked; undefined: not known, so that only its length can be wrong. */
  readonly sha256: Uint8Array | undefined
  readonly packing?: 'gzip' | undefined
}

export interface VerifyOptions extends Abortable {
  /** Told of the bytes as they come; of those that come again after a fault, too. */
  readonly onBytes: (bytes: number) => void
}

/** Reads an object to its end. A store that does not give it is a verdict, too; only an abort rejects. */
export async function verifyObject(
  reader: ObjectReader,
  object: ExpectedObject,
  { signal, onBytes }: VerifyOptions,
): Promise<Verdict> {
  const isWhole = object.size <= largestWhole
  const verdictOf = async (): Promise<Verdict> => {
    const pieces = isWhole
      ? await wholeOf(reader, object, { signal })
      : (await reader.getStream(object.key, { signal }))?.body
    if (pieces === undefined) return 'missing'
    const hash = createHash('sha256')
    let length = 0
    for await (const piece of contentOf(pieces, object, { signal })) {
      onBytes(piece.length)
      length += piece.length
      hash.update(piece)
    }
    if (length !== object.size) return 'altered'
    return object.sha256 === undefined || hash.digest().equals(object.sha256) ? 'good' : 'altered'
  }
  try {
    // The body of a stream can break off after the store's own retries are over.
    return isWhole ? await verdictOf() : await retrying(verdictOf, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof StoreError) return error
    // It is not packed as it should be.
    if (error instanceof ForeignError) return 'altered'
    throw error
  }
}

function contentOf(
  pieces: Iterable<Buffer> | AsyncIterable<Buffer>,
  { packing, size }: ExpectedObject,
  { signal }: Abortable,
): Iterable<Buffer> | AsyncIterable<Buffer> {
  return packing === undefined ? pieces : unpacked(packing, asyncOf(pieces), { limit: size, signal })
}

async function* asyncOf(pieces: Iterable<Buffer> | AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  yield* pieces
}

async function wholeOf(
  reader: ObjectReader,
  { key }: ExpectedObject,
  options: Abortable,
): Promise<readonly [Buffer] | undefined> {
  const found = await reader.get(key, options)
  return found && [found.bytes]
}

import { createHash } from 'node:crypto'
import type { Abortable } from '../base/abort.ts'
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
  /** 32 bytes. */
  readonly sha256: Uint8Array
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
  const digestOf = async (): Promise<Buffer | undefined> => {
    const pieces = isWhole
      ? await wholeOf(reader, object, { signal })
      : (await reader.getStream(object.key, { signal }))?.body
    if (pieces === undefined) return undefined
    const hash = createHash('sha256')
    for await (const piece of pieces) {
      onBytes(piece.length)
      hash.update(piece)
    }
    return hash.digest()
  }
  try {
    // The body of a stream can break off after the store's own retries are over.
    const digest = isWhole ? await digestOf() : await retrying(digestOf, { signal })
    if (digest === undefined) return 'missing'
    return digest.equals(object.sha256) ? 'good' : 'altered'
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof StoreError) return error
    throw error
  }
}

async function wholeOf(
  reader: ObjectReader,
  { key }: ExpectedObject,
  options: Abortable,
): Promise<readonly [Buffer] | undefined> {
  const found = await reader.get(key, options)
  return found && [found.bytes]
}

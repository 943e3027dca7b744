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
  { key, size, sha256 }: ExpectedObject,
  { signal, onBytes }: VerifyOptions,
): Promise<Verdict> {
  try {
    const digest =
      size <= largestWhole
        ? await digestOfWhole(reader, key, { signal, onBytes })
        : // The body of a stream can break off after the store's own retries are over.
          await retrying(() => digestOfStream(reader, key, { signal, onBytes }), { signal })
    if (digest === undefined) return 'missing'
    return digest.equals(sha256) ? 'good' : 'altered'
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof StoreError) return error
    throw error
  }
}

async function digestOfWhole(
  reader: ObjectReader,
  key: ObjectKey,
  { signal, onBytes }: VerifyOptions,
): Promise<Buffer | undefined> {
  const found = await reader.get(key, { signal })
  if (found === undefined) return undefined
  onBytes(found.bytes.length)
  return createHash('sha256').update(found.bytes).digest()
}

async function digestOfStream(
  reader: ObjectReader,
  key: ObjectKey,
  { signal, onBytes }: VerifyOptions,
): Promise<Buffer | undefined> {
  const stream = await reader.getStream(key, { signal })
  if (stream === undefined) return undefined
  const hash = createHash('sha256')
  for await (const piece of stream.body) {
    onBytes(piece.length)
    hash.update(piece)
  }
  return hash.digest()
}

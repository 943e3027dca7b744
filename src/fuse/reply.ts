import { encodeEntry, nanoseconds } from './dirent.ts'
import type { Attributes, Entry } from './operations.ts'
import { AttrOut, EntryOut, OpenOut, OutHeader } from './protocol.ts'
import type { Fields, FieldsOf, Struct } from './struct.ts'

/** Room for the header and the largest struct that a reply carries (entry + open, 144 bytes). */
const scratchSize = 256

/**
 * Builds the pieces of one reply at a time in a buffer that is used again by the next: they must be sent before anything else is
 * built. Payloads are not copied.
 */
export class ReplyBuilder {
  readonly #scratch = Buffer.alloc(scratchSize)
  readonly #view = new DataView(this.#scratch.buffer, this.#scratch.byteOffset, this.#scratch.length)

  error(unique: number, errno: number): readonly Uint8Array[] {
    return [this.#head(unique, OutHeader.size, -errno)]
  }

  empty(unique: number): readonly Uint8Array[] {
    return [this.#head(unique, OutHeader.size, 0)]
  }

  struct<F extends Fields>(
    unique: number,
    type: Struct<F>,
    value: FieldsOf<Struct<F>>,
  ): readonly Uint8Array[] {
    type.encode(this.#view, OutHeader.size, value as Parameters<Struct<F>['encode']>[2])
    return [this.#head(unique, OutHeader.size + type.size, 0)]
  }

  entry(unique: number, entry: Entry): readonly Uint8Array[] {
    encodeEntry(this.#view, OutHeader.size, entry)
    return [this.#head(unique, OutHeader.size + EntryOut.size, 0)]
  }

  /** The answer to CREATE and TMPFILE. */
  created(unique: number, entry: Entry, open: FieldsOf<typeof OpenOut>): readonly Uint8Array[] {
    encodeEntry(this.#view, OutHeader.size, entry)
    OpenOut.encode(this.#view, OutHeader.size + EntryOut.size, open)
    return [this.#head(unique, OutHeader.size + EntryOut.size + OpenOut.size, 0)]
  }

  /** Nodeid 0: the kernel remembers for `seconds` that there is no such name. */
  negativeEntry(unique: number, seconds: number): readonly Uint8Array[] {
    this.#scratch.fill(0, OutHeader.size, OutHeader.size + EntryOut.size)
    this.#view.setUint32(OutHeader.size + 16, seconds, true)
    return [this.#head(unique, OutHeader.size + EntryOut.size, 0)]
  }

  attributes(unique: number, { attr, attrValid }: Attributes): readonly Uint8Array[] {
    return this.struct(unique, AttrOut, {
      attrValid: Math.floor(attrValid),
      attrValidNsec: nanoseconds(attrValid),
      dummy: 0,
      attr,
    })
  }

  payload(unique: number, pieces: readonly Uint8Array[]): readonly Uint8Array[] {
    let length = OutHeader.size
    for (const piece of pieces) length += piece.length
    OutHeader.encode(this.#view, 0, { len: length, error: 0, unique })
    return [this.#scratch.subarray(0, OutHeader.size), ...pieces]
  }

  #head(unique: number, length: number, error: number): Uint8Array {
    OutHeader.encode(this.#view, 0, { len: length, error, unique })
    return this.#scratch.subarray(0, length)
  }
}

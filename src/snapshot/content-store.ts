import { createHash } from 'node:crypto'
import { codeOf } from '../base/errors.ts'
import { fileKey } from '../destination/layout.ts'
import type { ByteRange, FileSource, ObjectStore } from '../store/object-store.ts'
import type { ObjectIds } from './object-id.ts'
import type { Extent } from './tree.ts'
import type { NewObject } from './working-index.ts'

/** Up to here a file is read once, hashed and sent from memory. */
const memoryLimit = 4 << 20
/**
 * Bytes of a larger one that are read at a time. Also the grain in which zeros become holes: a finer one would find some more, and let a file have
 * very many extents. To compare costs nothing beside the hash, as it ends at the first byte that is not zero.
 */
const pieceSize = 1 << 20
const zeros = Buffer.alloc(pieceSize)

/** A file as it was found, open. Its `ranges` are where it has data, and no holes. Its `path` stands for the open file, whatever becomes of its name, until it is disposed of. */
export interface OpenContent extends FileSource, AsyncDisposable {
  /** Fills `into`, or its beginning, with what is at `offset`; resolves with how many bytes, 0 at the end. */
  read(into: Buffer, offset: number): Promise<number>
  /** Whether it is still as it was found. */
  isUnchanged(): Promise<boolean>
}

export interface ContentStoreOptions {
  readonly store: ObjectStore
  readonly repository: string
  readonly ids: ObjectIds
  /** Do not store pieces of large files that are nothing but zeros. */
  readonly zerosAreHoles?: boolean | undefined
}

export interface StoredContent {
  /** Undefined when the content is one hole. */
  readonly object: NewObject | undefined
  /** Where the object's bytes lie in the file, one after another. */
  readonly ranges: readonly ByteRange[]
  /** Whether it had to be sent. */
  readonly uploaded: boolean
}

/** Puts file contents into a repository, each only once: what has the same size and SHA-256 shares one object. */
export class ContentStore {
  readonly #options: ContentStoreOptions
  /** Size and SHA-256 → id of the object that has these bytes, or is to have them: undefined when it has come to others. */
  readonly #ids = new Map<string, string | Promise<string | undefined>>()

  constructor(options: ContentStoreOptions) {
    this.#options = options
  }

  /** Takes note of an object that the repository has. */
  know({ id, size, sha256 }: NewObject): void {
    this.#ids.set(identityOf(size, sha256), id)
  }

  /** The object that has these bytes; undefined when the repository has none. */
  async find({ size, sha256 }: Omit<NewObject, 'id'>): Promise<NewObject | undefined> {
    const id = await this.#ids.get(identityOf(size, sha256))
    return id === undefined ? undefined : { id, size, sha256 }
  }

  /** Undefined when the content changed meanwhile; nothing refers to what may have been sent of it then. */
  async add(content: OpenContent, signal: AbortSignal): Promise<StoredContent | undefined> {
    const given = sizeOf(content.ranges)
    const isSmall = given <= memoryLimit
    const buffer = Buffer.allocUnsafeSlow(isSmall ? given : pieceSize)
    const zerosAreHoles = this.#options.zerosAreHoles === true && !isSmall
    const data = await digestOf(content, buffer, { zerosAreHoles, signal })
    if (data === undefined || !(await content.isUnchanged())) return undefined
    const { sha256, ranges } = data
    const size = sizeOf(ranges)
    if (size === 0) return { object: undefined, ranges, uploaded: false }
    const identity = identityOf(size, sha256)
    for (let known = this.#ids.get(identity); known !== undefined; known = this.#ids.get(identity)) {
      const id = await known
      if (id !== undefined) return { object: { id, size, sha256 }, ranges, uploaded: false }
    }
    const sent = this.#send(identity, content, isSmall ? { bytes: buffer, sha256 } : ranges, signal)
    this.#ids.set(identity, sent)
    const id = await sent
    return id === undefined ? undefined : { object: { id, size, sha256 }, ranges, uploaded: true }
  }

  /**
   * Resolves with the new object's id; with undefined when what was sent of `content`, read a second time where `data` are not its bytes but their ranges, may
   * not be what was hashed. Such an object, like one whose put failed, must not be shared by a later file.
   */
  async #send(
    identity: string,
    content: OpenContent,
    data: { readonly bytes: Buffer; readonly sha256: Buffer } | readonly ByteRange[],
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { store, repository, ids } = this.#options
    const id = ids.next()
    const isInMemory = 'bytes' in data
    let isSound = false
    try {
      const key = fileKey(repository, id)
      if (isInMemory) await store.put(key, data.bytes, { sha256: data.sha256, signal })
      else await store.put(key, { path: content.path, ranges: data }, { signal })
      isSound = isInMemory || (await content.isUnchanged())
    } catch (error) {
      // The file may have become shorter, or unreadable, which is no fault of the store.
      if (codeOf(error) !== 'invalid' || isInMemory) throw error
      await digestOf(content, Buffer.allocUnsafeSlow(pieceSize), { zerosAreHoles: false, signal })
      if (await content.isUnchanged()) throw error
    } finally {
      if (!isSound) this.#ids.delete(identity)
    }
    return isSound ? id : undefined
  }
}

function identityOf(size: number, sha256: Buffer): string {
  return `${size}:${sha256.toString('latin1')}`
}

function sizeOf(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0)
}

/**
 * SHA-256 of the content's data, and where it lies: in `content.ranges`, without pieces of zeros if these are holes. Undefined when the file has become
 * shorter. A `buffer` that is as long as the data holds all of it in the end.
 */
async function digestOf(
  content: OpenContent,
  buffer: Buffer,
  { zerosAreHoles, signal }: { readonly zerosAreHoles: boolean; readonly signal: AbortSignal },
): Promise<{ sha256: Buffer; ranges: readonly ByteRange[] } | undefined> {
  const digest = createHash('sha256')
  const ranges: { offset: number; length: number }[] = []
  let filled = 0
  for (const { offset, length } of content.ranges)
    for (let done = 0; done < length; ) {
      signal.throwIfAborted()
      if (filled === buffer.length) filled = 0
      const free = buffer.subarray(filled, filled + length - done)
      const bytesRead = await content.read(free, offset + done)
      if (bytesRead === 0) return undefined
      const piece = free.subarray(0, bytesRead)
      if (!(zerosAreHoles && piece.equals(zeros.subarray(0, bytesRead)))) {
        digest.update(piece)
        const last = ranges.at(-1)
        if (last !== undefined && last.offset + last.length === offset + done) last.length += bytesRead
        else ranges.push({ offset: offset + done, length: bytesRead })
      }
      filled += bytesRead
      done += bytesRead
    }
  return { sha256: digest.digest(), ranges }
}

/** Where the bytes of an object lie in a file whose data is in these ranges. */
export function extentsOf(ranges: readonly ByteRange[]): Extent[] {
  let objectOffset = 0
  return ranges.map(({ offset, length }) => {
    const extent = { offset, length, objectOffset }
    objectOffset += length
    return extent
  })
}

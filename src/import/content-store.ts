import { createHash } from 'node:crypto'
import { codeOf } from '../base/errors.ts'
import { fileKey } from '../destination/layout.ts'
import type { ObjectIds } from '../snapshot/object-id.ts'
import type { NewObject } from '../snapshot/working-index.ts'
import type { ObjectStore } from '../store/object-store.ts'
import type { OpenContent } from './source.ts'

/** Up to here a file is read once, hashed and sent from memory. */
const memoryLimit = 4 << 20
/** Bytes of a larger one that are read at a time. */
const pieceSize = 1 << 20

export interface ContentStoreOptions {
  readonly store: ObjectStore
  readonly repository: string
  readonly ids: ObjectIds
}

export interface StoredContent {
  readonly object: NewObject
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

  /** Undefined when the content changed meanwhile; nothing refers to what may have been sent of it then. */
  async add(content: OpenContent, signal: AbortSignal): Promise<StoredContent | undefined> {
    const size = content.ranges.reduce((sum, { length }) => sum + length, 0)
    const isSmall = size <= memoryLimit
    const buffer = Buffer.allocUnsafeSlow(isSmall ? size : pieceSize)
    const sha256 = await digestOf(content, buffer, signal)
    if (sha256 === undefined || !(await content.isUnchanged())) return undefined
    const identity = identityOf(size, sha256)
    for (let known = this.#ids.get(identity); known !== undefined; known = this.#ids.get(identity)) {
      const id = await known
      if (id !== undefined) return { object: { id, size, sha256 }, uploaded: false }
    }
    const sent = this.#send(identity, content, isSmall ? buffer : undefined, signal)
    this.#ids.set(identity, sent)
    const id = await sent
    return id === undefined ? undefined : { object: { id, size, sha256 }, uploaded: true }
  }

  /**
   * Resolves with the new object's id; with undefined when what was sent of `content`, read a second time where it is not in `bytes`, may not be what
   * was hashed. Such an object, like one whose put failed, must not be shared by a later file.
   */
  async #send(
    identity: string,
    content: OpenContent,
    bytes: Buffer | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { store, repository, ids } = this.#options
    const id = ids.next()
    let isSound = false
    try {
      await store.put(fileKey(repository, id), bytes ?? content, { signal })
      isSound = bytes !== undefined || (await content.isUnchanged())
    } catch (error) {
      // The file may have become shorter, or unreadable, which is no fault of the store.
      if (codeOf(error) !== 'invalid' || bytes !== undefined) throw error
      await digestOf(content, Buffer.allocUnsafeSlow(pieceSize), signal)
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

/** Undefined when the file has become shorter. A `buffer` that is as long as its data holds all of it in the end. */
async function digestOf(
  content: OpenContent,
  buffer: Buffer,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const digest = createHash('sha256')
  let filled = 0
  for (const { offset, length } of content.ranges)
    for (let done = 0; done < length; ) {
      signal.throwIfAborted()
      if (filled === buffer.length) filled = 0
      const free = buffer.subarray(filled, filled + length - done)
      const bytesRead = await content.read(free, offset + done)
      if (bytesRead === 0) return undefined
      digest.update(free.subarray(0, bytesRead))
      filled += bytesRead
      done += bytesRead
    }
  return digest.digest()
}

import { createHash, hash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { fileKey } from '../destination/layout.ts'
import type { ObjectIds } from '../snapshot/object-id.ts'
import type { NewObject } from '../snapshot/working-index.ts'
import { readSource } from '../store/file-source.ts'
import type { ObjectStore } from '../store/object-store.ts'
import type { SourceContent } from './source.ts'

/** Up to here a file is read once, hashed and sent from memory. */
const memoryLimit = 4 << 20

export interface ContentStoreOptions {
  readonly store: ObjectStore
  readonly repository: string
  readonly ids: ObjectIds
  /** Objects the repository has already. */
  readonly known: Iterable<Pick<NewObject, 'id' | 'size' | 'sha256'>>
}

export interface StoredContent {
  readonly object: NewObject
  /** Whether it had to be sent. */
  readonly uploaded: boolean
}

/** Puts file contents into a repository, each only once: what has the same size and SHA-256 shares one object. */
export class ContentStore {
  readonly #options: ContentStoreOptions
  /** Size and SHA-256 → object, there or on its way. */
  readonly #objects = new Map<string, Promise<NewObject>>()

  constructor(options: ContentStoreOptions) {
    this.#options = options
    for (const { id, size, sha256 } of options.known)
      this.#objects.set(identityOf(size, sha256), Promise.resolve({ id, size, sha256 }))
  }

  async add({ file, ranges }: SourceContent, signal: AbortSignal): Promise<StoredContent> {
    const size = ranges.reduce((sum, { length }) => sum + length, 0)
    const bytes = size <= memoryLimit ? await readWhole(file, ranges, size) : undefined
    const sha256 =
      bytes === undefined ? await hashSource({ path: file, ranges }, signal) : hash('sha256', bytes, 'buffer')
    const identity = identityOf(size, sha256)
    const known = this.#objects.get(identity)
    if (known !== undefined) return { object: await known, uploaded: false }
    const sent = this.#send(bytes ?? { path: file, ranges }, size, sha256, signal)
    this.#objects.set(identity, sent)
    // A failed upload must not be shared by a later file with the same bytes.
    sent.catch(() => this.#objects.delete(identity))
    return { object: await sent, uploaded: true }
  }

  async #send(
    body: Parameters<ObjectStore['put']>[1],
    size: number,
    sha256: Buffer,
    signal: AbortSignal,
  ): Promise<NewObject> {
    const { store, repository, ids } = this.#options
    const id = ids.next()
    await store.put(fileKey(repository, id), body, { signal })
    return { id, size, sha256 }
  }
}

function identityOf(size: number, sha256: Buffer): string {
  return `${size}:${sha256.toString('latin1')}`
}

async function readWhole(
  file: string | Buffer,
  ranges: SourceContent['ranges'],
  size: number,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(size)
  await using handle = await open(file, 'r')
  let filled = 0
  for (const { offset, length } of ranges) {
    // A file that has become shorter leaves old memory here, and is found to have changed.
    bytes.fill(0, filled, filled + length)
    await handle.read(bytes, filled, length, offset)
    filled += length
  }
  return bytes
}

async function hashSource(source: Parameters<typeof readSource>[0], signal: AbortSignal): Promise<Buffer> {
  const digest = createHash('sha256')
  for await (const piece of readSource(source, signal)) digest.update(piece)
  return digest.digest()
}

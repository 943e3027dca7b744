import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { LRUCache } from 'lru-cache'
import type { Abortable } from '../base/abort.ts'
import { codeOf } from '../base/errors.ts'
import type { ByteRange, ObjectReader } from '../store/object-store.ts'
import { blobName } from './blob-name.ts'
import type { Blob } from './blob-source.ts'
import { UnpackedFile } from './unpacked-file.ts'

/** Up to so many bytes, unpacked, an object is unpacked in memory. */
const largestInMemory = 4 << 20
/** Files of unpacked objects that are kept for who reads on, and bytes of all of them. */
const keptFiles = 16
const keptBytes = 16 * 2 ** 30

/**
 * Bytes of gzipped objects as if they were stored as they are. Of a small one each read unpacks all; a large one is unpacked once, to a file without a name, from which any range is read as soon as
 * it is there.
 */
export class UnpackedObjects implements AsyncDisposable {
  readonly #store: ObjectReader
  readonly #folder: string
  readonly #files = new LRUCache<string, UnpackedFile>({
    max: keptFiles,
    maxSize: keptBytes,
    sizeCalculation: ({ size }) => Math.min(Math.max(size, 1), keptBytes),
    dispose: (file) => file.release(),
  })

  /** `folder`: where the files lie, made when it is needed. */
  constructor(store: ObjectReader, folder: string) {
    this.#store = store
    this.#folder = folder
  }

  /**
   * The bytes of `range`; 'missing' when there is no such object, 'wrong' when it is no gzip, or does not unpack to as many bytes as the blob has. Rejects with a `StoreError`, a
   * fault of the folder, or the abort reason.
   */
  read(blob: Blob, range: ByteRange, options: Abortable): Promise<Buffer | 'missing' | 'wrong'> {
    return blob.size <= largestInMemory
      ? this.#inMemory(blob, range, options)
      : this.#fromFile(blob, range, options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const files = [...this.#files.values()]
    this.#files.clear()
    await Promise.all(files.map((file) => file[Symbol.asyncDispose]()))
  }

  async #inMemory(blob: Blob, range: ByteRange, options: Abortable): Promise<Buffer | 'missing' | 'wrong'> {
    // What cannot be compressed becomes longer by 5 bytes for each 16 KiB, and has a header with a file's name.
    const longest = blob.size + Math.ceil(blob.size / 1024) + 4096
    const stored = await this.#store.get(blob.key, { range: { offset: 0, length: longest }, ...options })
    if (stored === undefined) return 'missing'
    if (stored.size > longest) return 'wrong'
    try {
      const bytes = await promisify(gunzip)(stored.bytes, { maxOutputLength: blob.size })
      return bytes.length === blob.size ? bytes.subarray(range.offset, range.offset + range.length) : 'wrong'
    } catch (error) {
      if (codeOf(error)?.startsWith('Z_') || codeOf(error) === 'ERR_BUFFER_TOO_LARGE') return 'wrong'
      throw error
    }
  }

  async #fromFile(blob: Blob, range: ByteRange, options: Abortable): Promise<Buffer | 'missing' | 'wrong'> {
    const name = blobName(blob)
    let file = this.#files.get(name)
    if (file === undefined) {
      file = UnpackedFile.start(this.#store, blob, this.#folder)
      this.#files.set(name, file)
    }
    try {
      const found = await file.read(range, options)
      // It may be put right.
      if (typeof found === 'string') this.#files.delete(name)
      return found
    } catch (error) {
      if (!options.signal?.aborted) this.#files.delete(name)
      throw error
    }
  }
}

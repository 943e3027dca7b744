import type { Abortable } from '../base/abort.ts'
import { codeOf } from '../base/errors.ts'
import type { ByteRange, ObjectReader } from '../store/object-store.ts'
import type { Blob } from './blob-source.ts'
import type { CacheCounters } from './cache-metrics.ts'
import type { CorruptBlobs } from './corrupt-blobs.ts'
import { CacheError } from './errors.ts'
import type { UnpackedObjects } from './unpacked-objects.ts'

export interface FetchOptions extends Abortable {
  /** Where the bytes may be put; see `GetOptions`. */
  readonly into?: Buffer | undefined
}

/** Bytes of blobs from the store, until it is closed. */
export class BlobFetcher {
  readonly #store: ObjectReader
  readonly #unpacked: UnpackedObjects
  readonly #corrupt: CorruptBlobs
  readonly #counters: CacheCounters
  readonly #underWay = new Set<AbortController>()
  #closed: unknown

  /** `unpacked` reads the same store. */
  constructor(
    store: ObjectReader,
    unpacked: UnpackedObjects,
    corrupt: CorruptBlobs,
    counters: CacheCounters,
  ) {
    this.#store = store
    this.#unpacked = unpacked
    this.#corrupt = corrupt
    this.#counters = counters
  }

  /**
   * All of a blob; undefined when the object is not as long, of which no more is fetched than the blob should have. Rejects with `missing`, a
   * `StoreError`, or the abort reason.
   */
  async whole(blob: Blob, options: FetchOptions): Promise<Buffer | undefined> {
    return this.#get(blob, { offset: 0, length: blob.size }, options)
  }

  /** As `whole`, but the bytes of `range`, or `corrupt` when the object is not as long as it should be. */
  async range(blob: Blob, range: ByteRange, options: FetchOptions): Promise<Buffer> {
    const bytes = await this.#get(blob, range, options)
    if (bytes === undefined) throw this.#corrupt.report(blob)
    return bytes
  }

  /** Aborts what is under way and whatever comes. */
  close(reason: unknown): void {
    this.#closed = reason
    for (const controller of this.#underWay) controller.abort(reason)
  }

  async #get(blob: Blob, range: ByteRange, { into, signal }: FetchOptions): Promise<Buffer | undefined> {
    if (this.#closed !== undefined) throw this.#closed
    signal?.throwIfAborted()
    // AbortSignal.any would do, but costs 4 µs a request, and leaves a trace in a signal that lives as long as the mount.
    const controller = new AbortController()
    const onAbort = (): void => controller.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#underWay.add(controller)
    this.#counters.misses++
    try {
      if (blob.packing !== undefined) return await this.#unpack(blob, range, { signal: controller.signal })
      const options = { range, ifMatch: blob.etag, into, signal: controller.signal }
      const body = await this.#store.get(blob.key, options)
      if (body === undefined) throw this.#missing(blob)
      const isRight = body.size === blob.size && body.bytes.length === range.length
      return isRight ? body.bytes : undefined
    } catch (error) {
      // A store refuses a range of an object that ends before it.
      if (codeOf(error) !== 'invalid') throw error
      const metadata = await this.#store.head(blob.key, { signal: controller.signal })
      if (metadata === undefined || metadata.size === blob.size) throw error
      return undefined
    } finally {
      this.#underWay.delete(controller)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async #unpack(blob: Blob, range: ByteRange, options: Abortable): Promise<Buffer | undefined> {
    const found = await this.#unpacked.read(blob, range, options)
    if (found === 'missing') throw this.#missing(blob)
    return found === 'wrong' ? undefined : found
  }

  #missing({ key }: Blob): CacheError {
    return new CacheError('missing', `${key} is missing in ${this.#store.description}`)
  }
}

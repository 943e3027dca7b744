import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Abortable } from '../base/abort.ts'
import type { Logger } from '../base/log.ts'
import { SingleFlight } from '../base/single-flight.ts'
import type { ByteRange, ObjectReader } from '../store/object-store.ts'
import type { Blob, BlobSource } from './blob-source.ts'
import type { CacheMetrics } from './cache-metrics.ts'
import type { DiskTier } from './disk-tier.ts'
import { CacheError } from './errors.ts'
import { LargeBlobs } from './large-blobs.ts'

export interface ObjectCacheOptions {
  readonly store: ObjectReader
  /** Bound on what is held, bytes. */
  readonly memoryBytes: number
  readonly disk?: DiskTier | undefined
  readonly logger: Logger
}

/** Up to here an object is fetched by one request, and can be checked before any of it is delivered. */
const wholeLimit = 4 << 20
/** Prefetches under way at a time: at 30 ms a request this is 2,000 files a second. */
const prefetchConcurrency = 64
/** What an entry costs beside its bytes, roughly. */
const entryOverhead = 256

/** Content by byte range: from memory, from disk, else from the store; checked, and fetched ahead of those who read in order. */
export class ObjectCache implements BlobSource {
  readonly #options: ObjectCacheOptions
  readonly #memory: LRUCache<string, Buffer>
  readonly #flights = new SingleFlight<string, Buffer>()
  readonly #large: LargeBlobs
  /** Prefetched and not read yet. */
  readonly #unread = new Map<string, number>()
  #unreadBytes = 0
  readonly #queue: Blob[] = []
  #prefetching = 0
  readonly #closed = new AbortController()
  readonly metrics: CacheMetrics

  constructor(options: ObjectCacheOptions) {
    this.#options = options
    const memory = new LRUCache<string, Buffer>({
      maxSize: options.memoryBytes,
      sizeCalculation: (bytes) => bytes.length + entryOverhead,
      dispose: (_bytes, key, reason) => {
        if (reason === 'evict' && this.#noLongerUnread(key)) this.metrics.prefetchWasted++
      },
    })
    this.#memory = memory
    this.metrics = {
      memoryHits: 0,
      diskHits: 0,
      misses: 0,
      prefetched: 0,
      prefetchWasted: 0,
      corrupt: 0,
      get bytesHeld() {
        return memory.calculatedSize
      },
    }
    this.#large = new LargeBlobs({
      store: options.store,
      memory,
      memoryBytes: options.memoryBytes,
      disk: options.disk,
      metrics: this.metrics,
      onCorrupt: (blob) => this.#corrupt(blob),
      signal: this.#closed.signal,
    })
  }

  read(
    blob: Blob,
    range: ByteRange,
    { signal }: Abortable = {},
  ): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
    if (range.length === 0) return []
    if (blob.size > wholeLimit) return this.#large.read(blob, range, { signal })
    const cut = (bytes: Buffer): readonly Uint8Array[] => {
      this.#noLongerUnread(nameOf(blob))
      this.#startPrefetches()
      return [bytes.subarray(range.offset, range.offset + range.length)]
    }
    const held = this.#memory.get(nameOf(blob))
    if (held === undefined) return this.#whole(blob, { signal }).then(cut)
    this.metrics.memoryHits++
    return cut(held)
  }

  prefetch(blobs: readonly Blob[]): number {
    let accepted = 0
    for (const blob of blobs) {
      if (
        this.#memory.has(nameOf(blob)) ||
        this.#unread.has(nameOf(blob)) ||
        this.#flights.has(nameOf(blob))
      ) {
        accepted++
        continue
      }
      // A quarter of the memory, so that what is fetched ahead never pushes itself out.
      if (blob.size > wholeLimit || this.#unreadBytes + blob.size > this.#options.memoryBytes / 4) break
      this.#unread.set(nameOf(blob), blob.size)
      this.#unreadBytes += blob.size
      this.#queue.push(blob)
      accepted++
    }
    this.#startPrefetches()
    return accepted
  }

  [Symbol.dispose](): void {
    this.#closed.abort(new DOMException('the cache is closed', 'AbortError'))
    this.#queue.length = 0
    this.#memory.clear()
  }

  #startPrefetches(): void {
    while (this.#prefetching < prefetchConcurrency && !this.#closed.signal.aborted) {
      const blob = this.#queue.shift()
      if (blob === undefined) return
      // Read in the meantime: nothing to fetch ahead any more.
      if (!this.#unread.has(nameOf(blob))) continue
      this.#prefetching++
      this.metrics.prefetched++
      this.#whole(blob, { signal: this.#closed.signal })
        // Its own read will try again, and say what is wrong.
        .catch(() => this.#noLongerUnread(nameOf(blob)))
        .finally(() => {
          this.#prefetching--
          this.#startPrefetches()
        })
    }
  }

  #whole(blob: Blob, options: Abortable): Promise<Buffer> {
    const name = nameOf(blob)
    return this.#flights.run(
      name,
      async ({ signal }) => {
        const bytes = (await this.#fromDisk(blob, name)) ?? (await this.#fromStore(blob, name, signal))
        this.#memory.set(name, bytes)
        return bytes
      },
      options,
    )
  }

  async #fromDisk(blob: Blob, name: string): Promise<Buffer | undefined> {
    const kept = await this.#options.disk?.get(name, blob.size)
    if (kept === undefined || !isRight(blob, kept)) return undefined
    this.metrics.diskHits++
    return kept
  }

  async #fromStore(blob: Blob, name: string, signal: AbortSignal): Promise<Buffer> {
    const { store, disk } = this.#options
    this.metrics.misses++
    // Something on the way may have mangled it once.
    for (let attempt = 1; attempt <= 2; attempt++) {
      const body = await store.get(blob.key, { ifMatch: blob.etag, signal })
      if (body === undefined)
        throw new CacheError('missing', `${blob.key} is missing in ${store.description}`)
      if (!isRight(blob, body.bytes)) continue
      disk?.put(name, body.bytes)
      return body.bytes
    }
    throw this.#corrupt(blob)
  }

  #corrupt(blob: Blob): CacheError {
    this.metrics.corrupt++
    const { store, logger } = this.#options
    logger.error({ object: blob.key, size: blob.size }, 'an object has other bytes than its index says')
    return new CacheError(
      'corrupt',
      `${blob.key} in ${store.description} does not have the bytes its index says`,
    )
  }

  #noLongerUnread(name: string): boolean {
    const size = this.#unread.get(name)
    if (size === undefined) return false
    this.#unread.delete(name)
    this.#unreadBytes -= size
    return true
  }
}

/** The same key may hold something else in an object that no index speaks of. */
function nameOf(blob: Blob): string {
  return blob.etag === undefined ? blob.key : `${blob.key}@${blob.etag}`
}

function isRight(blob: Blob, bytes: Buffer): boolean {
  if (bytes.length !== blob.size) return false
  return blob.sha256 === undefined || hash('sha256', bytes, 'buffer').equals(blob.sha256)
}

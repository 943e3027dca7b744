import { tmpdir } from 'node:os'
import { LRUCache } from 'lru-cache'
import type { Logger } from '../base/log.ts'
import type { ByteRange, ObjectReader } from '../store/object-store.ts'
import { BlobFetcher } from './blob-fetcher.ts'
import { blobName } from './blob-name.ts'
import type { Blob, BlobSource, ReadOptions } from './blob-source.ts'
import { BlockArena } from './block-arena.ts'
import { BlockMemory } from './block-memory.ts'
import { type CacheCounters, type CacheMetrics, createCounters } from './cache-metrics.ts'
import { CorruptBlobs } from './corrupt-blobs.ts'
import type { DiskTier } from './disk-tier.ts'
import { EarlyBlocks } from './early-blocks.ts'
import { HashThread } from './hash-thread.ts'
import { LargeBlob, type LargeBlobContext } from './large-blob.ts'
import { MemoryTier } from './memory-tier.ts'
import { Prefetcher } from './prefetcher.ts'
import { type ReadaheadOptions, readaheadDefaults } from './readahead.ts'
import { UnpackedObjects } from './unpacked-objects.ts'
import { WholeBlobs } from './whole-blobs.ts'

export interface ObjectCacheOptions extends Partial<ObjectCacheSettings> {
  readonly store: ObjectReader
  /** Opened and disposed of by the caller. */
  readonly disk?: DiskTier | undefined
  /** Where large gzipped objects lie unpacked while they are read. */
  readonly unpackFolder?: string | undefined
  readonly logger: Logger
  /** Milliseconds, from anywhere. */
  readonly now?: (() => number) | undefined
}

export interface ObjectCacheSettings {
  /** Bound on what is held and what is on its way, bytes. */
  readonly memoryBytes: number
  /** Objects up to this size are fetched by one request, bytes. */
  readonly wholeLimit: number
  /** Prefetches under way at a time, and waiting for it. */
  readonly prefetchConcurrency: number
  readonly prefetchQueue: number
  readonly readahead: ReadaheadOptions
}

export const objectCacheDefaults: ObjectCacheSettings = Object.freeze({
  /** Two readers of large objects, each with a window of 64 MiB, and as much again for small ones. */
  memoryBytes: 256 << 20,
  /** So far one request takes hardly longer than its latency, and all can be checked before any is delivered. */
  wholeLimit: 4 << 20,
  /** At 30 ms a request this is 2,000 objects a second. */
  prefetchConcurrency: 64,
  /** More than one reader keeps ahead of itself. */
  prefetchQueue: 512,
  readahead: readaheadDefaults,
})

/** Of the memory, so that two readers have room, with what they are being given and what is behind them. */
const largestWindowShare = 1 / 4
/** Of the memory. Twice what the kernel's read-ahead of one reader can need. */
const earlyShare = 3 / 16
/** Of the memory. What is fetched ahead must never push itself out. */
const prefetchedShare = 1 / 4
/** Large blobs whose readers are remembered. */
const rememberedBlobs = 256

/**
 * Content by byte range: from memory, from disk, else from the store; fetched ahead of those who read in order. An object that is read whole is checked
 * against its SHA-256; single reads of a part of an object above `wholeLimit` are not.
 */
export class ObjectCache implements BlobSource, AsyncDisposable {
  readonly #settings: ObjectCacheSettings
  readonly #memory: MemoryTier
  readonly #blocks: BlockMemory
  readonly #disk: DiskTier | undefined
  readonly #unpacked: UnpackedObjects
  readonly #fetcher: BlobFetcher
  readonly #counters: CacheCounters = createCounters()
  readonly #whole: WholeBlobs
  readonly #prefetcher: Prefetcher
  readonly #hashing = new HashThread()
  readonly #large: LRUCache<string, LargeBlob>
  readonly #largeContext: Omit<LargeBlobContext, 'diskName'>
  readonly #diskName: (blob: Blob) => string | undefined

  constructor({
    store,
    disk,
    logger,
    unpackFolder = tmpdir(),
    now = () => performance.now(),
    ...given
  }: ObjectCacheOptions) {
    this.#settings = { ...objectCacheDefaults, ...given }
    const counters = this.#counters
    const { memoryBytes, readahead, wholeLimit, prefetchConcurrency, prefetchQueue } = this.#settings
    const requestBlocks = Math.min(readahead.largestRequest, memoryBytes / 4) / readahead.blockBytes
    const chunkBlocks = 2 ** Math.max(0, Math.floor(Math.log2(requestBlocks)))
    const arena = new BlockArena({
      blockBytes: readahead.blockBytes,
      chunkBlocks,
      maxBytes: memoryBytes,
    })
    const blocks = new BlockMemory(arena, now)
    const memory = new MemoryTier({
      blocks,
      prefetchedBytes: memoryBytes * prefetchedShare,
      onWasted: () => counters.prefetchWasted++,
    })
    const corrupt = new CorruptBlobs(store.description, counters, logger)
    this.#unpacked = new UnpackedObjects(store, unpackFolder)
    const fetcher = new BlobFetcher(store, this.#unpacked, corrupt, counters)
    const context = { memory, disk, fetcher, corrupt, counters, hashing: this.#hashing }
    // Of a blob that nothing identifies, nothing may outlive the mount.
    this.#diskName = (blob) =>
      blob.sha256 === undefined && blob.etag === undefined
        ? undefined
        : `${store.description} ${blobName(blob)}`
    this.#blocks = blocks
    this.#memory = memory
    this.#disk = disk
    this.#fetcher = fetcher
    this.#whole = new WholeBlobs({ ...context, diskName: this.#diskName })
    this.#prefetcher = new Prefetcher({
      memory,
      blobs: this.#whole,
      counters,
      largest: wholeLimit,
      concurrency: prefetchConcurrency,
      queueLength: prefetchQueue,
    })
    this.#largeContext = {
      ...context,
      blocks,
      early: new EarlyBlocks(arena.blocks * earlyShare),
      blockBytes: readahead.blockBytes,
      readahead: {
        ...readahead,
        largest: Math.min(readahead.largest, memoryBytes * largestWindowShare),
        largestRequest: chunkBlocks * readahead.blockBytes,
      },
    }
    this.#large = new LRUCache({ max: rememberedBlobs, dispose: (blob) => blob.clear() })
  }

  get metrics(): CacheMetrics {
    const { count = 0, last } = this.#disk?.faults ?? {}
    return {
      ...this.#counters,
      bytesHeld: this.#blocks.blocksHeld * this.#settings.readahead.blockBytes,
      diskFaults: count,
      diskFault: last,
    }
  }

  read(
    blob: Blob,
    range: ByteRange,
    options: ReadOptions = {},
  ): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
    if (range.length === 0) return []
    if (blob.size > this.#settings.wholeLimit) return this.#largeBlob(blob).read(range, options)
    const cut = (bytes: Buffer): Uint8Array[] => {
      const piece = bytes.subarray(range.offset, range.offset + range.length)
      return [options.lend ? piece : Buffer.from(piece)]
    }
    const held = this.#whole.held(blob, range)
    if (held === undefined) return this.#whole.arrival(blob, range, options).then(cut)
    this.#counters.memoryHits++
    return cut(held)
  }

  prefetch(blobs: readonly Blob[]): number {
    return this.#prefetcher.prefetch(blobs)
  }

  /** Aborts all that is under way; its readers get an `AbortError`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#prefetcher.close()
    this.#fetcher.close(new DOMException('the cache is closed', 'AbortError'))
    await this.#unpacked[Symbol.asyncDispose]()
    this.#large.clear()
    this.#memory.clear()
    await this.#hashing[Symbol.asyncDispose]()
  }

  #largeBlob(blob: Blob): LargeBlob {
    const name = blobName(blob)
    let large = this.#large.get(name)
    if (large === undefined) {
      large = new LargeBlob(blob, { ...this.#largeContext, diskName: this.#diskName(blob) })
      this.#large.set(name, large)
    }
    return large
  }
}

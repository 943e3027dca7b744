import type { LRUCache } from 'lru-cache'
import { type Abortable, orAborted } from '../base/abort.ts'
import type { ByteRange, ObjectReader } from '../store/object-store.ts'
import type { Blob } from './blob-source.ts'
import type { CacheMetrics } from './cache-metrics.ts'
import type { DiskTier } from './disk-tier.ts'
import { CacheError } from './errors.ts'
import { type ReadaheadOptions, ReadaheadWindow, readaheadDefaults } from './readahead.ts'
import { RunningHash } from './running-hash.ts'

/** Large objects are held in blocks of this size: what one READ of the kernel asks for. */
const blockSize = 1 << 20
/** Blocks fetched by one request once a reader is known to go on: at 30 ms a request, 8 MiB keep the latency below a tenth. */
const largestRun = 8
/** Readers of one object, and objects, that are remembered. */
const windowsPerBlob = 8
const blobsRemembered = 64

interface Reading {
  readonly blob: Blob
  readonly windows: ReadaheadWindow[]
  /** undefined once it is done, or when it can no more succeed. */
  hash: RunningHash | undefined
}

export interface LargeBlobsOptions {
  readonly store: ObjectReader
  readonly memory: LRUCache<string, Buffer>
  readonly memoryBytes: number
  readonly disk: DiskTier | undefined
  readonly metrics: CacheMetrics
  readonly onCorrupt: (blob: Blob) => CacheError
  /** Ends everything when the cache is closed. */
  readonly signal: AbortSignal
}

/**
 * Reads objects too large to be fetched whole: blocks ahead of readers that go on where they stopped, exact ranges for all others.
 * An object that is read from its start to its end is checked against its SHA-256: its last block is not delivered if the
 * check fails. Random reads are not checked.
 */
export class LargeBlobs {
  readonly #options: LargeBlobsOptions
  readonly #readahead: ReadaheadOptions
  /** The most recently used last. */
  readonly #readings = new Map<string, Reading>()
  readonly #pending = new Map<string, Promise<Buffer>>()
  #bytesPending = 0

  constructor(options: LargeBlobsOptions) {
    this.#options = options
    this.#readahead = {
      ...readaheadDefaults,
      largest: Math.min(readaheadDefaults.largest, options.memoryBytes / 4),
    }
  }

  read(
    blob: Blob,
    range: ByteRange,
    { signal }: Abortable,
  ): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
    const reading = this.#readingOf(blob)
    const first = Math.floor(range.offset / blockSize)
    const last = Math.floor((range.offset + range.length - 1) / blockSize)
    const window = reading.windows.findLast((window) => window.expects(range.offset))
    const missing = !this.#hasAll(blob, first, last)
    if (window === undefined) {
      const fresh = new ReadaheadWindow(range.offset, range.length, this.#readahead)
      reading.windows.push(fresh)
      if (reading.windows.length > windowsPerBlob) reading.windows.shift()
      if (fresh.ahead === 0 && missing) return this.#exactly(blob, range, signal)
      this.#fetchAhead(reading, first, fresh)
    } else {
      window.advance(range.offset, range.length, missing)
      this.#fetchAhead(reading, first, window)
    }
    const pieces: (Buffer | Promise<Buffer>)[] = []
    for (let block = first; block <= last; block++) pieces.push(this.#block(reading, block))
    const cut = (blocks: readonly Buffer[]): Uint8Array[] => {
      this.#consumed(reading, range)
      return blocks.map((bytes, i) => cutBlock(bytes, first + i, range))
    }
    const lastOfBlob = blockCountOf(blob) - 1
    const isEnd = last === lastOfBlob && reading.hash?.hasAllBefore(first)
    if (!isEnd && pieces.every((piece) => piece instanceof Buffer)) return cut(pieces as Buffer[])
    return orAborted(
      Promise.all(pieces).then(async (blocks) => {
        if (isEnd) await this.#check(reading)
        return cut(blocks)
      }),
      signal,
    )
  }

  #readingOf(blob: Blob): Reading {
    let reading = this.#readings.get(blob.key)
    if (reading === undefined) {
      const hash = blob.sha256 && new RunningHash(blob.sha256, blockCountOf(blob))
      reading = { blob, windows: [], hash }
      const [oldest] = this.#readings.keys()
      if (this.#readings.size >= blobsRemembered && oldest !== undefined) this.#forget(oldest)
    }
    this.#readings.delete(blob.key)
    this.#readings.set(blob.key, reading)
    return reading
  }

  #forget(key: string): void {
    this.#readings.get(key)?.hash?.giveUp()
    this.#readings.delete(key)
  }

  #hasAll({ key }: Blob, first: number, last: number): boolean {
    for (let block = first; block <= last; block++)
      if (!this.#options.memory.has(blockKey(key, block))) return false
    return true
  }

  /** Sees that everything from `first` to the end of the window is there or on its way. */
  #fetchAhead(reading: Reading, first: number, window: ReadaheadWindow): void {
    const { memoryBytes } = this.#options
    if (this.#bytesPending > memoryBytes / 2) window.shrink()
    const end = Math.min(reading.blob.size, window.next + window.ahead)
    const lastWanted = Math.floor((end - 1) / blockSize)
    // Long requests pay only when there is more to fetch than one.
    const run = Math.max(1, Math.min(largestRun, Math.floor(window.ahead / blockSize / 8)))
    let from: number | undefined
    for (let block = first; block <= lastWanted + 1; block++) {
      const isMissing = block <= lastWanted && !this.#isKnown(reading.blob, block)
      if (isMissing) from ??= block
      if (from === undefined) continue
      if (isMissing && block - from + 1 < run) continue
      // A run that is not full yet waits for the reader to come nearer, unless it is wanted now.
      const until = isMissing ? block : block - 1
      const isWanted = from * blockSize < window.next || until - from + 1 === run || end === reading.blob.size
      if (isWanted) this.#fetchRun(reading, from, until)
      from = undefined
    }
  }

  #isKnown({ key }: Blob, block: number): boolean {
    const name = blockKey(key, block)
    return this.#pending.has(name) || this.#options.memory.has(name)
  }

  #block(reading: Reading, block: number): Buffer | Promise<Buffer> {
    const name = blockKey(reading.blob.key, block)
    const held = this.#options.memory.get(name)
    if (held !== undefined) {
      this.#options.metrics.memoryHits++
      return held
    }
    const pending = this.#pending.get(name)
    if (pending !== undefined) return pending
    this.#fetchRun(reading, block, block)
    return this.#pending.get(name) as Promise<Buffer>
  }

  /** Fetches blocks `from` … `until` by one request; each is pending until it has come. */
  #fetchRun(reading: Reading, from: number, until: number): void {
    const { blob } = reading
    const offset = from * blockSize
    const length = Math.min(blob.size, (until + 1) * blockSize) - offset
    this.#bytesPending += length
    const fetched = this.#fetch(blob, { offset, length }).finally(() => {
      this.#bytesPending -= length
    })
    fetched.catch(() => {
      reading.hash?.giveUp()
      reading.hash = undefined
    })
    for (let block = from; block <= until; block++) {
      const name = blockKey(blob.key, block)
      const start = (block - from) * blockSize
      const arrived = fetched
        .then((bytes) => {
          const own = bytes.subarray(start, start + blockSize)
          this.#options.memory.set(name, own)
          reading.hash?.add(block, own)
          return own
        })
        .finally(() => this.#pending.delete(name))
      arrived.catch(() => {})
      this.#pending.set(name, arrived)
    }
  }

  async #fetch(blob: Blob, range: ByteRange): Promise<Buffer> {
    const { store, disk, metrics, signal } = this.#options
    const name = `${blob.key}#${range.offset}+${range.length}`
    const kept = await disk?.get(name, range.length)
    if (kept !== undefined) {
      metrics.diskHits++
      return kept
    }
    metrics.misses++
    const body = await store.get(blob.key, { range, ifMatch: blob.etag, signal })
    if (body === undefined) throw new CacheError('missing', `${blob.key} is missing in ${store.description}`)
    if (body.size !== blob.size || body.bytes.length !== range.length) throw this.#options.onCorrupt(blob)
    disk?.put(name, body.bytes)
    return body.bytes
  }

  async #exactly(
    blob: Blob,
    range: ByteRange,
    signal: AbortSignal | undefined,
  ): Promise<readonly Uint8Array[]> {
    const { store, metrics } = this.#options
    metrics.misses++
    const body = await store.get(blob.key, { range, ifMatch: blob.etag, signal })
    if (body === undefined) throw new CacheError('missing', `${blob.key} is missing in ${store.description}`)
    if (body.size !== blob.size || body.bytes.length !== range.length) throw this.#options.onCorrupt(blob)
    return [body.bytes]
  }

  async #check(reading: Reading): Promise<void> {
    const verdict = await reading.hash?.verdict
    reading.hash = undefined
    if (verdict !== 'wrong') return
    for (let block = 0; block < blockCountOf(reading.blob); block++)
      this.#options.memory.delete(blockKey(reading.blob.key, block))
    this.#readings.delete(reading.blob.key)
    throw this.#options.onCorrupt(reading.blob)
  }

  /** Blocks that the kernel has now in its page cache make room for those to come. */
  #consumed({ blob }: Reading, { offset, length }: ByteRange): void {
    if (blob.size < this.#options.memoryBytes / 4) return
    const lastWhole = Math.floor((offset + length) / blockSize) - 1
    const behind = lastWhole - readaheadDefaults.tolerance / blockSize
    if (behind >= 0) this.#options.memory.delete(blockKey(blob.key, behind))
  }
}

function blockKey(key: string, block: number): string {
  return `${key}#${block}`
}

function blockCountOf({ size }: Blob): number {
  return Math.ceil(size / blockSize)
}

/** The part of a block that lies in `range`. */
function cutBlock(bytes: Buffer, block: number, { offset, length }: ByteRange): Uint8Array {
  const start = block * blockSize
  return bytes.subarray(Math.max(0, offset - start), Math.min(bytes.length, offset + length - start))
}

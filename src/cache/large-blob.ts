import type { Abortable } from '../base/abort.ts'
import type { ByteRange } from '../store/object-store.ts'
import { BlobSegments, type BlobSegmentsContext, type Segment } from './blob-segments.ts'
import type { Blob } from './blob-source.ts'
import type { CorruptBlobs } from './corrupt-blobs.ts'
import { type ReadaheadOptions, ReadaheadWindow } from './readahead.ts'
import { RunningHash } from './running-hash.ts'

export interface LargeBlobContext extends BlobSegmentsContext {
  readonly corrupt: CorruptBlobs
  readonly readahead: ReadaheadOptions
}

/** Readers of one blob that are remembered, of those who go on where they stopped and of single reads, which may be the first of such. */
const rememberedReaders = 8

interface Reader {
  readonly window: ReadaheadWindow
  /** Of a reader who began at the start of the blob, until all of it has been found right. */
  check: RunningHash | undefined
  /** The end of the blob has been asked for. */
  wantsEnd: boolean
}

type Pieces = readonly Uint8Array[]

/**
 * One object too large to be fetched whole: blocks ahead of readers who go on where they stopped, exact ranges for all others. Whoever reads it from
 * start to end is refused the last of its bytes when they are not those of its SHA-256; other reads are not checked.
 */
export class LargeBlob {
  readonly #blob: Blob
  readonly #context: LargeBlobContext
  readonly #segments: BlobSegments
  readonly #blockCount: number
  /** The most recently active last. */
  #readers: Reader[] = []

  constructor(blob: Blob, context: LargeBlobContext) {
    this.#blob = blob
    this.#context = context
    this.#blockCount = Math.ceil(blob.size / context.blockBytes)
    this.#segments = new BlobSegments(blob, context)
  }

  read(range: ByteRange, { signal }: Abortable): Pieces | Promise<Pieces> {
    const { blockBytes, corrupt, counters } = this.#context
    const first = Math.floor(range.offset / blockBytes)
    const last = Math.floor((range.offset + range.length - 1) / blockBytes)
    const isHere = this.#every(first, last, (block) => this.#segments.at(block)?.bytes !== undefined)
    const reader = this.#follow(range, !isHere)
    if (last === this.#blockCount - 1) reader.wantsEnd = true
    // Once found wrong, it is given only to whom it can be checked for.
    const needsCheck = this.#blob.sha256 !== undefined && corrupt.has(this.#blob)
    if (needsCheck && reader.check === undefined) return Promise.reject(corrupt.report(this.#blob))
    if (!isHere && !reader.window.isSequential && !this.#every(first, last, (block) => this.#isNear(block)))
      return this.#exactly(range, signal)
    const wanted = this.#segmentsOf(first, last)
    const coming = wanted.map((segment) => segment.bytes ?? this.#segments.arrival(segment, { signal }))
    this.#fetchAhead(reader)
    const check = this.#dueCheck(reader)
    if (isHere && check === undefined && !(needsCheck && reader.wantsEnd)) {
      counters.memoryHits++
      return this.#deliver(wanted, coming as Buffer[], range)
    }
    return this.#deliverLater(wanted, coming, range, reader, signal)
  }

  /** Forgets all that is held; what is on its way is still given to those who wait. */
  clear(): void {
    this.#segments.clear()
    this.#readers = []
  }

  /** The reader who goes on with this read, the nearest of several, or a new one. */
  #follow(range: ByteRange, waits: boolean): Reader {
    const distance = ({ window }: Reader): number => Math.abs(range.offset - window.next)
    const nearest = this.#readers
      .filter(({ window }) => range.offset > 0 && window.expects(range.offset))
      .reduce<Reader | undefined>((a, b) => (a !== undefined && distance(a) < distance(b) ? a : b), undefined)
    nearest?.window.advance(range, waits)
    const reader = nearest ?? this.#newReader(range)
    this.#readers = this.#readers.filter((other) => other !== reader)
    const alike = this.#readers.filter(({ window }) => window.isSequential === reader.window.isSequential)
    if (alike.length >= rememberedReaders) this.#readers.splice(this.#readers.indexOf(alike[0] as Reader), 1)
    this.#readers.push(reader)
    return reader
  }

  #newReader(range: ByteRange): Reader {
    const { sha256 } = this.#blob
    const canCheck = range.offset === 0 && sha256 !== undefined
    return {
      window: new ReadaheadWindow(range, this.#context.readahead),
      check: canCheck ? new RunningHash(sha256, this.#blockCount) : undefined,
      wantsEnd: false,
    }
  }

  #every(first: number, last: number, holds: (block: number) => boolean): boolean {
    for (let block = first; block <= last; block++) if (!holds(block)) return false
    return true
  }

  #isNear(block: number): boolean {
    return this.#segments.at(block) !== undefined || this.#segments.isOnDisk(block)
  }

  /** The segments of these blocks in order; what is neither held nor on its way is now to be fetched. */
  #segmentsOf(first: number, last: number): Segment[] {
    for (const missing of this.#segments.missing(first, last)) this.#segments.add(missing.first, missing.last)
    const segments: Segment[] = []
    for (let block = first; block <= last; block++) {
      const segment = this.#segments.at(block) as Segment
      if (segment !== segments.at(-1)) segments.push(segment)
    }
    return segments
  }

  #fetchAhead({ window }: Reader): void {
    const { memory, blockBytes } = this.#context
    const { size } = this.#blob
    for (let next = window.nextRequest(size); next !== undefined; next = window.nextRequest(size)) {
      const from = next.offset / blockBytes
      const until = Math.ceil((next.offset + next.length) / blockBytes) - 1
      for (const { first, last } of this.#segments.missing(from, until)) {
        const room = memory.reserveAhead('window', (last - first + 1) * blockBytes)
        if (room === undefined) {
          window.refuse(first * blockBytes)
          return
        }
        // Who gets there asks for it again, and is told what is wrong.
        this.#segments.arrival(this.#segments.add(first, last, room), {}).catch(() => window.reset())
      }
    }
  }

  async #exactly(range: ByteRange, signal: AbortSignal | undefined): Promise<Pieces> {
    const { memory, fetcher } = this.#context
    using _room = await memory.reserve('read', range.length, { signal })
    return [await fetcher.range(this.#blob, range, { signal })]
  }

  async #deliverLater(
    wanted: readonly Segment[],
    coming: readonly (Buffer | Promise<Buffer>)[],
    range: ByteRange,
    reader: Reader,
    signal: AbortSignal | undefined,
  ): Promise<Pieces> {
    const { corrupt } = this.#context
    const pieces = this.#deliver(wanted, await Promise.all(coming), range)
    const check = this.#dueCheck(reader)
    if (check !== undefined) await this.#complete(check, signal)
    if (check?.isRight) {
      reader.check = undefined
      corrupt.clear(this.#blob)
    } else if (check?.isRight === false) {
      this.#segments.discard()
      this.#readers = []
      throw corrupt.report(this.#blob)
    } else if (reader.wantsEnd && reader.check !== undefined && corrupt.has(this.#blob)) {
      throw corrupt.report(this.#blob)
    }
    return pieces
  }

  /** The check that can now be completed by waiting only for what is on its way. */
  #dueCheck({ check, wantsEnd }: Reader): RunningHash | undefined {
    if (!wantsEnd || check === undefined) return undefined
    const isComing = (block: number): boolean => check.has(block) || this.#segments.at(block) !== undefined
    return this.#every(check.next, this.#blockCount - 1, isComing) ? check : undefined
  }

  async #complete(check: RunningHash, signal: AbortSignal | undefined): Promise<void> {
    const segments = new Set<Segment>()
    for (let block = check.next; block < this.#blockCount; block++) {
      const segment = check.has(block) ? undefined : this.#segments.at(block)
      if (segment !== undefined) segments.add(segment)
    }
    const arrivals = [...segments].map(async (segment) => {
      const bytes = segment.bytes ?? (await this.#segments.arrival(segment, { signal }))
      this.#offer(segment, bytes, check)
    })
    // One that fails leaves the check open; whoever wants those bytes is told.
    await Promise.allSettled(arrivals)
    signal?.throwIfAborted()
  }

  #deliver(wanted: readonly Segment[], bytes: readonly Buffer[], range: ByteRange): Pieces {
    const { memory } = this.#context
    return wanted.map((segment, i) => {
      const all = bytes[i] as Buffer
      for (const reader of this.#readers) this.#check(reader, segment, all)
      const start = range.offset - segment.range.offset
      const piece = all.subarray(Math.max(0, start), start + range.length)
      segment.delivered += piece.length
      memory.read(segment.name, segment.delivered < all.length ? 'window' : 'behind')
      return piece
    })
  }

  /** Readers who are close together cannot be told apart, so each is given the blocks of all that lie in its reach. */
  #check(reader: Reader, segment: Segment, bytes: Buffer): void {
    const { check, window } = reader
    if (check === undefined || segment.last < check.next || !window.reaches(segment.range.offset)) return
    this.#offer(segment, bytes, check)
    const { largest, tolerance } = this.#context.readahead
    // It has left something out for good.
    if (check.waiting * this.#context.blockBytes > largest + tolerance) reader.check = undefined
  }

  #offer({ first, last }: Segment, bytes: Buffer, check: RunningHash): void {
    const { blockBytes } = this.#context
    for (let block = first; block <= last; block++) {
      const start = (block - first) * blockBytes
      check.offer(block, bytes.subarray(start, start + blockBytes))
    }
  }
}

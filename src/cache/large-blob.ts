import { orAborted } from '../base/abort.ts'
import type { ByteRange } from '../store/object-store.ts'
import { BlobSegments, type BlobSegmentsContext, type Segment } from './blob-segments.ts'
import type { Blob, ReadOptions } from './blob-source.ts'
import type { CorruptBlobs } from './corrupt-blobs.ts'
import type { EarlyBlocks } from './early-blocks.ts'
import type { HashThread } from './hash-thread.ts'
import type { MemoryTier } from './memory-tier.ts'
import { type ReadaheadOptions, ReadaheadWindow } from './readahead.ts'
import { RunningHash } from './running-hash.ts'

export interface LargeBlobContext extends BlobSegmentsContext {
  readonly memory: MemoryTier
  readonly corrupt: CorruptBlobs
  readonly hashing: HashThread
  readonly early: EarlyBlocks
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
 * start to end is refused the last of its bytes when they are not those of its SHA-256. Other reads are not checked, nor is one of more than eight
 * such readers at a time, or one who stands still for so long that its early blocks are needed (`EarlyBlocks`).
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

  read(range: ByteRange, { signal, lend = false }: ReadOptions): Pieces | Promise<Pieces> {
    const { blockBytes, corrupt, counters, hashing } = this.#context
    const first = Math.floor(range.offset / blockBytes)
    const last = Math.floor((range.offset + range.length - 1) / blockBytes)
    const isHere = this.#every(first, last, (block) => this.#segments.at(block)?.bytes !== undefined)
    const reader = this.#follow(range, !isHere)
    if (last === this.#blockCount - 1) reader.wantsEnd = true
    // Once found wrong, it is given only to whom it can be checked for.
    const needsCheck = this.#blob.sha256 !== undefined && corrupt.has(this.#blob)
    if (needsCheck && reader.check === undefined) return Promise.reject(corrupt.report(this.#blob))
    if (!isHere && !reader.window.isSequential && !this.#every(first, last, (block) => this.#isNear(block)))
      return this.#exactly(range, { signal, lend })
    const wanted = this.#segmentsOf(first, last)
    const isAtOnce =
      isHere && !hashing.isBehind && !this.#dueCheck(reader) && !(needsCheck && reader.wantsEnd)
    if (isAtOnce) counters.memoryHits++
    const answer = isAtOnce
      ? this.#deliver(wanted, range, lend)
      : this.#deliverLater(wanted, range, reader, { signal, lend })
    this.#fetchAhead(reader)
    return answer
  }

  /** Forgets all that is held; what is on its way is still given to those who wait. */
  clear(): void {
    this.#segments.clear()
    this.#forgetReaders()
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
    const [oldest] = alike.length >= rememberedReaders ? alike : []
    if (oldest !== undefined) forgetCheck(oldest)
    this.#readers = [...this.#readers.filter((other) => other !== oldest), reader]
    return reader
  }

  #newReader(range: ByteRange): Reader {
    const { sha256 } = this.#blob
    const canCheck = range.offset === 0 && sha256 !== undefined
    return {
      window: new ReadaheadWindow(range, this.#context.readahead),
      check: canCheck ? new RunningHash(this.#context.hashing, sha256, this.#blockCount) : undefined,
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
    const { blockBytes, readahead } = this.#context
    const most = readahead.largestRequest / blockBytes
    for (const missing of this.#segments.missing(first, last))
      for (let from = missing.first; from <= missing.last; from += most)
        this.#segments.add(from, Math.min(from + most - 1, missing.last))
    const segments: Segment[] = []
    for (let block = first; block <= last; block++) {
      const segment = this.#segments.at(block) as Segment
      if (segment !== segments.at(-1)) segments.push(segment)
    }
    return segments
  }

  #fetchAhead({ window }: Reader): void {
    const { blockBytes } = this.#context
    const { size } = this.#blob
    for (let next = window.nextRequest(size); next !== undefined; next = window.nextRequest(size)) {
      const from = next.offset / blockBytes
      const until = Math.ceil((next.offset + next.length) / blockBytes) - 1
      for (const { first, last } of this.#segments.missing(from, until)) {
        const refusedFrom = this.#bringAhead(first, last, window)
        if (refusedFrom === undefined) continue
        window.refuse(refusedFrom * blockBytes)
        return
      }
    }
  }

  /** In requests as large as there is room for; returns the first block for which there is none. */
  #bringAhead(first: number, last: number, window: ReadaheadWindow): number | undefined {
    const { blocks } = this.#context
    let block = first
    for (let count = 2 ** Math.floor(Math.log2(last - first + 1)); count >= 1; count /= 2) {
      while (block + count - 1 <= last) {
        const slab = blocks.reserveAhead(count)
        if (slab === undefined) break
        const segment = this.#segments.add(block, block + count - 1, slab)
        // Who gets there asks for it again, and is told what is wrong.
        this.#segments.bytes(segment, {}).catch(() => window.reset())
        block += count
      }
    }
    return block <= last ? block : undefined
  }

  async #exactly(range: ByteRange, { signal, lend = false }: ReadOptions): Promise<Pieces> {
    const { memory, fetcher } = this.#context
    using room = await memory.reserve(range.length, { signal })
    const bytes = await fetcher.range(this.#blob, range, { into: room.bytes, signal })
    return [lend ? bytes : Buffer.from(bytes)]
  }

  async #deliverLater(
    wanted: readonly Segment[],
    range: ByteRange,
    reader: Reader,
    { signal, lend = false }: ReadOptions,
  ): Promise<Pieces> {
    const { hashing } = this.#context
    for (const segment of wanted) this.#segments.use(segment)
    try {
      await Promise.all(wanted.map((segment) => this.#segments.bytes(segment, { signal })))
      const pieces = this.#deliver(wanted, range, lend)
      if (hashing.isBehind) await orAborted(hashing.caughtUp(), signal)
      await this.#verify(reader, signal)
      return pieces
    } finally {
      for (const segment of wanted) this.#segments.release(segment)
    }
  }

  /** Rejects with `corrupt` when this read completes the blob, and the blob is wrong. */
  async #verify(reader: Reader, signal: AbortSignal | undefined): Promise<void> {
    const { corrupt } = this.#context
    const check = this.#dueCheck(reader)
    const isRight = check === undefined ? undefined : await this.#complete(check, reader, signal)
    if (isRight === true) {
      reader.check = undefined
      corrupt.clear(this.#blob)
    } else if (isRight === false) {
      this.#segments.discard()
      this.#forgetReaders()
      throw corrupt.report(this.#blob)
    } else if (reader.wantsEnd && reader.check !== undefined && corrupt.has(this.#blob)) {
      throw corrupt.report(this.#blob)
    }
  }

  /** The check that can now be completed by waiting only for what is on its way. */
  #dueCheck({ check, wantsEnd }: Reader): RunningHash | undefined {
    if (!wantsEnd || check === undefined) return undefined
    const isComing = (block: number): boolean => check.has(block) || this.#segments.at(block) !== undefined
    return this.#every(check.next, this.#blockCount - 1, isComing) ? check : undefined
  }

  /** Whether the blob is right; undefined when a part of it did not come. */
  async #complete(
    check: RunningHash,
    reader: Reader,
    signal: AbortSignal | undefined,
  ): Promise<boolean | undefined> {
    const coming = new Set<Segment>()
    for (let block = check.next; block < this.#blockCount; block++) {
      const segment = check.has(block) ? undefined : this.#segments.at(block)
      if (segment !== undefined) coming.add(segment)
    }
    const offers = [...coming].map(async (segment) => {
      this.#segments.use(segment)
      try {
        this.#offer(segment, await this.#segments.bytes(segment, { signal }), check)
      } finally {
        this.#segments.release(segment)
      }
    })
    // Whoever wants the bytes of one that fails is told.
    await Promise.allSettled(offers)
    this.#context.early.note(check, () => forgetCheck(reader))
    signal?.throwIfAborted()
    const verdict = check.verdict()
    return verdict && orAborted(verdict, signal)
  }

  /** Of segments that have come. */
  #deliver(wanted: readonly Segment[], range: ByteRange, lend: boolean): Pieces {
    const { blocks } = this.#context
    // One that is delivered may push out the next.
    for (const segment of wanted) this.#segments.use(segment)
    const pieces = wanted.map((segment) => {
      const bytes = segment.bytes as Buffer
      for (const reader of this.#readers) this.#check(reader, segment, bytes)
      const start = range.offset - segment.range.offset
      const piece = bytes.subarray(Math.max(0, start), start + range.length)
      segment.delivered += piece.length
      if (segment.isHeld) blocks.hold(segment, segment.delivered < bytes.length ? 'ahead' : 'behind')
      return lend ? piece : Buffer.from(piece)
    })
    for (const segment of wanted) this.#segments.release(segment)
    return pieces
  }

  /** Readers who are close together cannot be told apart, so each is given the blocks of all that lie in its reach. */
  #check(reader: Reader, segment: Segment, bytes: Buffer): void {
    const { check, window } = reader
    if (check === undefined || segment.last < check.next || !window.reaches(segment.range.offset)) return
    this.#offer(segment, bytes, check)
    this.#context.early.note(check, () => forgetCheck(reader))
  }

  #offer(segment: Segment, bytes: Buffer, check: RunningHash): void {
    const { blockBytes } = this.#context
    const { first, last } = segment
    for (let block = first; block <= last; block++) {
      const start = (block - first) * blockBytes
      this.#segments.use(segment)
      check.offer(block, bytes.subarray(start, start + blockBytes), () => this.#segments.release(segment))
    }
  }

  #forgetReaders(): void {
    this.#readers.forEach(forgetCheck)
    this.#readers = []
  }
}

function forgetCheck(reader: Reader): void {
  reader.check?.giveUp()
  reader.check = undefined
}

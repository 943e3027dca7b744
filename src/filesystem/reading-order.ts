import type { BlobSource } from '../cache/blob-source.ts'
import type { Ino, Inode, ObjectRef } from '../snapshot/tree.ts'

/**
 * Prefetch across files. A tree that is copied is read in reading order, which is the order of inode numbers
 * (`native-notes/format.md`); who has read a few files in that order will read the next ones. `ls`, `find` and single reads leave no
 * such trace and trigger nothing.
 */
export interface ReadingOrderOptions {
  /** Files read one after another before anything is fetched ahead: two may be a coincidence. */
  readonly minimumRun: number
  /** Files a reader may skip (it has them already, or does not want them) and still be in order. */
  readonly tolerance: number
  /** Files kept ahead of a reader, at most. With 64 requests in flight at 30 ms this is 0.1 s of reading. */
  readonly maximumAhead: number
  /** Larger files have a window of their own once they are read. Bytes. */
  readonly maximumSize: number
  /** Readers followed at a time. */
  readonly maximumReaders: number
}

export const defaultReadingOrderOptions: ReadingOrderOptions = Object.freeze({
  minimumRun: 3,
  tolerance: 8,
  maximumAhead: 256,
  maximumSize: 4 << 20,
  maximumReaders: 16,
})

/** First guess of how far a reader will go on; doubled as it proves right. */
const initialAhead = 16

/** What it needs of a snapshot. */
interface Files {
  filesAfter(ino: Ino, count: number): readonly Inode[]
}

interface Reader {
  readonly files: Files
  last: Ino
  run: number
  /** All small files up to here have been asked for. */
  frontier: Ino
  /** Those asked for that lie ahead of the reader. */
  queued: Ino[]
  ahead: number
}

export class ReadingOrder {
  readonly #source: BlobSource
  readonly #options: ReadingOrderOptions
  /** The most recently active last. */
  readonly #readers: Reader[] = []

  constructor(source: BlobSource, options: ReadingOrderOptions = defaultReadingOrderOptions) {
    this.#source = source
    this.#options = options
  }

  /** Notes that the file `ino` of a snapshot begins to be read. */
  started(files: Files, ino: Ino): void {
    const reader = this.#follow(files, ino)
    if (reader.run < this.#options.minimumRun) return
    reader.queued = reader.queued.filter((queued) => queued > ino)
    if (reader.frontier < ino) reader.frontier = ino
    if (reader.queued.length <= reader.ahead / 2) this.#extend(reader)
  }

  #follow(files: Files, ino: Ino): Reader {
    const { tolerance, maximumReaders } = this.#options
    const at = this.#readers.findLastIndex(
      (reader) => reader.files === files && ino >= reader.last && this.#isNext(reader, ino, tolerance),
    )
    if (at === -1) {
      if (this.#readers.length >= maximumReaders) this.#readers.shift()
      const reader: Reader = { files, last: ino, run: 1, frontier: ino, queued: [], ahead: initialAhead }
      this.#readers.push(reader)
      return reader
    }
    const [reader] = this.#readers.splice(at, 1) as [Reader]
    this.#readers.push(reader)
    if (ino > reader.last) reader.run++
    reader.last = ino
    return reader
  }

  /** Folders, symlinks and the like between two files have numbers too, so the distance is counted in files. */
  #isNext(reader: Reader, ino: Ino, tolerance: number): boolean {
    if (ino - reader.last <= tolerance) return true
    if (ino <= reader.frontier) return true
    const next = reader.files.filesAfter(reader.last, tolerance)
    return next.some((inode) => inode.ino === ino)
  }

  #extend(reader: Reader): void {
    const candidates = reader.files.filesAfter(reader.frontier, reader.ahead - reader.queued.length)
    const small = candidates.filter(
      ({ object }) => object !== undefined && object.size <= this.#options.maximumSize,
    )
    const accepted = this.#source.prefetch(small.map(({ object }) => object as ObjectRef))
    for (const { ino } of small.slice(0, accepted)) reader.queued.push(ino)
    const lastTaken = accepted === small.length ? candidates.at(-1) : small[accepted - 1]
    if (lastTaken !== undefined) reader.frontier = lastTaken.ino
    if (accepted === small.length) reader.ahead = Math.min(reader.ahead * 2, this.#options.maximumAhead)
  }
}

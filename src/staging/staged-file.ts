import {
  close,
  closeSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  openSync,
  read,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { codeOf } from '../base/errors.ts'
import { fallocate, lseekData, lseekHole, punchHole } from '../base/libc.ts'
import type { AllocateKind, StagedContent } from '../snapshot/writable-tree.ts'
import { dataRanges, sectorSize } from '../store/data-ranges.ts'
import type { ByteRange } from '../store/object-store.ts'
import { stagingFault } from './staging-fault.ts'

/** For zeros where a file system has no holes. */
const zeros = Buffer.alloc(1 << 20)

/**
 * The content of one file while it is not in the store, in a file of the staging folder. Everything is synchronous: between two calls the content is what the last
 * one has made of it. Throws `ChangeError` (`staging-full`, `staging-failed`).
 */
export class StagedFile implements StagedContent {
  readonly path: string
  readonly #fd: number
  #begins: number
  #size: number

  /** Makes an empty one, or opens what is there. `begins`: where what is there begins. */
  constructor(path: string, { isNew, begins = 0 }: { readonly isNew: boolean; readonly begins?: number }) {
    this.path = path
    this.#begins = begins
    this.#fd = kept(() => openSync(path, isNew ? 'w+' : 'r+', 0o600))
    this.#size = isNew ? 0 : fstatSync(this.#fd).size
  }

  get begins(): number {
    return this.#begins
  }

  /** Bytes. Nobody else changes it. */
  get size(): number {
    return this.#size
  }

  /** When its bytes were changed last, in whole epoch milliseconds. */
  get written(): number {
    return Math.floor(fstatSync(this.#fd).mtimeMs)
  }

  get blocks(): number {
    return fstatSync(this.#fd).blocks + Math.ceil(this.#begins / sectorSize)
  }

  /** Bytes that it takes of the disk. */
  get room(): number {
    return fstatSync(this.#fd).blocks * sectorSize
  }

  /** Where it has data, of what is there. */
  ranges(within?: ByteRange): ByteRange[] {
    const stat = fstatSync(this.#fd)
    const all = within ?? { offset: this.#begins, length: stat.size - this.#begins }
    return told(() => dataRanges(this.#fd, stat, all), [all])
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = Buffer.allocUnsafe(length)
    return bytes.subarray(0, this.readInto(bytes, offset))
  }

  /** Returns how many bytes there were. */
  readInto(bytes: Buffer, offset: number): number {
    return kept(() => {
      let filled = 0
      while (filled < bytes.length) {
        const count = readSync(this.#fd, bytes, filled, bytes.length - filled, offset + filled)
        if (count === 0) break
        filled += count
      }
      return filled
    })
  }

  /** As `readInto`, without keeping everybody else waiting. */
  async fill(bytes: Buffer, offset: number): Promise<number> {
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead: count } = await readAt(
        this.#fd,
        bytes,
        filled,
        bytes.length - filled,
        offset + filled,
      )
      if (count === 0) break
      filled += count
    }
    return filled
  }

  /** Gives up what is before `end`; what is left begins there. */
  free(end: number): void {
    const { written } = this
    kept(() => punchHole(this.#fd, 0, end))
    this.#begins = end
    // A hole is a change to the system, and not to us: times that somebody has set since the last write are to outlive a crash.
    kept(() => futimesSync(this.#fd, written / 1000, written / 1000))
  }

  write(bytes: Uint8Array, offset: number): void {
    kept(() => {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done)
        this.#size = Math.max(this.#size, offset + done)
      }
    })
  }

  resize(size: number): void {
    kept(() => ftruncateSync(this.#fd, size))
    this.#size = size
  }

  allocate({ offset, length }: ByteRange, how: AllocateKind): void {
    const size = this.size
    const end = offset + length
    if (how === 'punch' || how === 'zero' || how === 'zeroKeepingSize')
      this.#clear(offset, Math.min(end, size))
    // Only room on the disk: what has none is no fault, as nobody writes there before the store has it.
    else kept(() => fallocate(this.#fd, offset, length))
    if ((how === 'allocate' || how === 'zero') && end > size) this.resize(end)
  }

  seek(offset: number, want: 'data' | 'hole'): number | undefined {
    const { size } = this
    if (offset >= size) return undefined
    // Of what is not here nobody can tell.
    if (offset < this.#begins) return want === 'data' ? offset : size
    return want === 'data'
      ? told(() => lseekData(this.#fd, offset), offset)
      : told(() => lseekHole(this.#fd, offset), size)
  }

  /** Resolves when its bytes are on the disk, which takes a while; with a descriptor of its own, as it may be closed meanwhile. */
  async sync(): Promise<void> {
    try {
      await using file = await open(this.path)
      await file.sync()
    } catch (error) {
      // It is in the store.
      if (codeOf(error) !== 'ENOENT') throw stagingFault(error)
    }
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** With its file; the room that it took is free then, or without `atOnce` a little later. */
  remove({ atOnce = true } = {}): void {
    rmSync(this.path, { force: true })
    if (atOnce) this.close()
    // Only now its pages go, of which there may be gigabytes: nobody is to wait for them.
    else close(this.#fd, () => {})
  }

  #clear(offset: number, end: number): void {
    if (end <= offset) return
    try {
      punchHole(this.#fd, offset, end - offset)
    } catch (error) {
      if (codeOf(error) !== 'ENOTSUP' && codeOf(error) !== 'no-koffi') throw stagingFault(error)
      for (let at = offset; at < end; at += zeros.length)
        this.write(zeros.subarray(0, Math.min(zeros.length, end - at)), at)
    }
  }
}

const readAt = promisify(read) as (
  fd: number,
  into: Buffer,
  start: number,
  length: number,
  position: number,
) => Promise<{ bytesRead: number }>

/** `unknown`: where nobody can tell of holes, all is data. */
function told<T>(ask: () => T, unknown: T): T {
  try {
    return ask()
  } catch (error) {
    if (codeOf(error) === 'no-koffi') return unknown
    throw stagingFault(error)
  }
}

function kept<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw stagingFault(error)
  }
}

import type { DirectorySink, Entry } from './operations.ts'
import { Dirent, EntryOut } from './protocol.ts'

/** Records start at multiples of 8 bytes (FUSE_DIRENT_ALIGN). */
const align = (size: number): number => (size + 7) & ~7

const typeOf = (mode: number): number => (mode >> 12) & 15
const folderType = 4

/** Packs directory records into a caller's buffer, never beyond the `room` that the kernel gave. */
export class DirentPacker implements DirectorySink {
  readonly #buffer: Buffer
  readonly #view: DataView
  readonly #plus: boolean
  readonly #end: number
  #at: number

  /** Packs into `buffer` from `start`; at most `room` bytes. `plus`: records of READDIRPLUS, with attributes. */
  constructor(buffer: Buffer, start: number, room: number, plus: boolean) {
    this.#buffer = buffer
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
    this.#plus = plus
    this.#end = start + room
    this.#at = start
  }

  /** Offset behind the last record. */
  get position(): number {
    return this.#at
  }

  add(name: string, cookie: number, entry: Entry): 'counted' | 'added' | 'full' {
    if (!this.#fits(name)) return 'full'
    if (this.#plus) encodeEntry(this.#view, this.#at, entry)
    this.#dirent(name, cookie, entry.attr.ino, typeOf(entry.attr.mode))
    return this.#plus ? 'counted' : 'added'
  }

  addHere(name: '.' | '..', cookie: number, nodeid: number): boolean {
    if (!this.#fits(name)) return false
    // Nodeid 0: no attributes with this one, and nothing to forget.
    if (this.#plus) this.#buffer.fill(0, this.#at, this.#at + EntryOut.size)
    this.#dirent(name, cookie, nodeid, folderType)
    return true
  }

  #fits(name: string): boolean {
    return this.#at + this.#recordSize(name.length) <= this.#end
  }

  #recordSize(nameLength: number): number {
    return align((this.#plus ? EntryOut.size : 0) + Dirent.size + nameLength)
  }

  #dirent(name: string, cookie: number, ino: number, type: number): void {
    const next = this.#at + this.#recordSize(name.length)
    const at = this.#at + (this.#plus ? EntryOut.size : 0)
    const nameAt = at + Dirent.size
    Dirent.encode(this.#view, at, { ino, off: cookie, namelen: name.length, type })
    this.#buffer.write(name, nameAt, 'latin1')
    this.#buffer.fill(0, nameAt + name.length, next)
    this.#at = next
  }
}

/** Writes an `EntryOut`. Nodeids are never used twice (`filesystem/`), so the generation is always 0. */
export function encodeEntry(view: DataView, at: number, entry: Entry): void {
  EntryOut.encode(view, at, {
    nodeid: entry.attr.ino,
    generation: 0,
    entryValid: Math.floor(entry.entryValid),
    attrValid: Math.floor(entry.attrValid),
    entryValidNsec: nanoseconds(entry.entryValid),
    attrValidNsec: nanoseconds(entry.attrValid),
    attr: entry.attr,
  })
}

/** The part of a time in seconds behind the point, in nanoseconds. */
export function nanoseconds(seconds: number): number {
  return Math.floor((seconds % 1) * 1e9)
}

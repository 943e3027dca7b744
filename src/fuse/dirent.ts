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
  readonly #room: number
  readonly #counted: number[] = []
  #at = 0

  /** Packs at most `room` bytes into `buffer`. `plus`: records of READDIRPLUS, with attributes. */
  constructor(buffer: Buffer, room: number, plus: boolean) {
    this.#buffer = buffer
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
    this.#plus = plus
    this.#room = room
  }

  /** The records so far. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#at)
  }

  /** The nodeid of each record that the kernel, once it has it, takes for a lookup. */
  get counted(): readonly number[] {
    return this.#counted
  }

  add(name: string, cookie: number, entry: Entry): 'counted' | 'added' | 'full' {
    if (!this.#fits(name)) return 'full'
    if (this.#plus) encodeEntry(this.#view, this.#at, entry)
    this.#dirent(name, cookie, entry.attr.ino, typeOf(entry.attr.mode))
    if (!this.#plus) return 'added'
    this.#counted.push(entry.attr.ino)
    return 'counted'
  }

  addHere(name: '.' | '..', cookie: number, nodeid: number): boolean {
    if (!this.#fits(name)) return false
    // Nodeid 0: no attributes with this one, and nothing to forget.
    if (this.#plus) this.#buffer.fill(0, this.#at, this.#at + EntryOut.size)
    this.#dirent(name, cookie, nodeid, folderType)
    return true
  }

  #fits(name: string): boolean {
    return this.#at + this.#recordSize(name.length) <= this.#room
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

import { FuseError } from './errno.ts'
import type { ChangeContext } from './operations.ts'
import { InHeader } from './protocol.ts'
import type { Fields, Struct } from './struct.ts'

const maxNameLength = 255
/** PATH_MAX of `linux/limits.h`, less the NUL. */
const maxTargetLength = 4095
/** `total_extlen` counts in words of 8 bytes. */
const extensionUnit = 8

/** A caller gave up on its request: it is answered with EINTR, if by nothing else. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError'
}

/**
 * One message from the kernel. Its bytes lie in the channel's buffer and are gone when the handler returns: structs and names
 * are read at once and copied by that; of `bytesAt` whoever keeps them makes a copy before.
 */
export class Request implements ChangeContext {
  readonly opcode: number
  readonly unique: number
  readonly nodeid: number
  readonly uid: number
  readonly gid: number
  readonly #view: DataView
  readonly #message: Buffer
  /** End of the opcode's own bytes; extensions lie behind it. */
  readonly #end: number
  #controller: AbortController | undefined
  #interrupted = false

  constructor(message: Buffer) {
    this.#message = message
    this.#view = new DataView(message.buffer, message.byteOffset, message.length)
    const header = InHeader.decode(this.#view, 0)
    this.opcode = header.opcode
    this.unique = header.unique
    this.nodeid = header.nodeid
    this.uid = header.uid
    this.gid = header.gid
    this.#end = message.length - header.totalExtlen * extensionUnit
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#interrupted) this.#controller.abort(new InterruptedError('interrupted'))
    }
    return this.#controller.signal
  }

  get interrupted(): boolean {
    return this.#interrupted
  }

  interrupt(): void {
    this.#interrupted = true
    this.#controller?.abort(new InterruptedError('interrupted'))
  }

  /** The opcode's struct, which follows the header. Throws EINVAL when the message is too short for it. */
  body<F extends Fields>(type: Struct<F>): ReturnType<Struct<F>['decode']> {
    return this.structAt(type, InHeader.size)
  }

  /** A struct at a given place of the message. */
  structAt<F extends Fields>(type: Struct<F>, at: number): ReturnType<Struct<F>['decode']> {
    if (at + type.size > this.#end) throw new FuseError('EINVAL')
    return type.decode(this.#view, at) as ReturnType<Struct<F>['decode']>
  }

  /** The NUL-terminated name behind the header and `bodySize` further bytes. */
  name(bodySize = 0): string {
    return this.#string(InHeader.size + bodySize, maxNameLength).text
  }

  /** Two names, one behind the other. */
  names(bodySize: number): [string, string] {
    const first = this.#string(InHeader.size + bodySize, maxNameLength)
    return [first.text, this.#string(first.end, maxNameLength).text]
  }

  /** A name, and what a symlink of that name points to. */
  nameAndTarget(): [string, string] {
    const name = this.#string(InHeader.size, maxNameLength)
    return [name.text, this.#string(name.end, maxTargetLength).text]
  }

  /** A name and `length` bytes behind it, which are a view of the message. */
  nameAndBytes(bodySize: number, length: number): [string, Buffer] {
    const name = this.#string(InHeader.size + bodySize, maxNameLength)
    return [name.text, this.bytesAt(name.end, length)]
  }

  /** A view of the message. */
  bytesAt(at: number, length: number): Buffer {
    if (at + length > this.#end) throw new FuseError('EINVAL')
    return this.#message.subarray(at, at + length)
  }

  /** `end` is behind its NUL. */
  #string(start: number, maxLength: number): { text: string; end: number } {
    const end = this.#message.indexOf(0, start)
    if (start > this.#end || end === -1 || end >= this.#end) throw new FuseError('EINVAL')
    // The kernel passes on longer names than any file system has.
    if (end - start > maxLength) throw new FuseError('ENAMETOOLONG')
    return { text: this.#message.toString('latin1', start, end), end: end + 1 }
  }
}

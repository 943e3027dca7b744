import { FuseError } from './errno.ts'
import type { RequestContext } from './operations.ts'
import { InHeader } from './protocol.ts'
import type { Fields, Struct } from './struct.ts'

const maxNameLength = 255
/** `total_extlen` counts in words of 8 bytes. */
const extensionUnit = 8

/** A caller gave up on its request: it is answered with EINTR, if by nothing else. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError'
}

/**
 * One message from the kernel. Its bytes lie in the channel's buffer and are gone when the handler returns: `body` and `names`
 * are read at once and copied by that.
 */
export class Request implements RequestContext {
  readonly opcode: number
  readonly unique: number
  readonly nodeid: number
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
    const start = InHeader.size + bodySize
    const end = this.#message.indexOf(0, start)
    if (start > this.#end || end === -1 || end >= this.#end) throw new FuseError('EINVAL')
    // The kernel passes on longer names than any file system has.
    if (end - start > maxNameLength) throw new FuseError('ENAMETOOLONG')
    return this.#message.toString('latin1', start, end)
  }
}

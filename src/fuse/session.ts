import { isAbort } from '../base/abort.ts'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { FuseChannel } from './channel.ts'
import { rowOf } from './dispatch.ts'
import type { DispatchContext, Row } from './dispatch-row.ts'
import { Errno } from './errno.ts'
import { handlelessFlags, negotiate, type Wishes } from './negotiate.ts'
import type { FuseOperations } from './operations.ts'
import {
  InHeader,
  InitIn,
  InitOut,
  NotifyCode,
  NotifyInvalEntryOut,
  NotifyInvalInodeOut,
  OutHeader,
} from './protocol.ts'
import { ReplyBuilder } from './reply.ts'
import { Request } from './request.ts'

export interface SessionOptions extends Omit<Wishes, 'changes'> {
  readonly channel: FuseChannel
  readonly operations: FuseOperations
  readonly logger: Logger
  /** The error number for anything an operation throws; logging, where it is due, is its business. */
  readonly toErrno: (error: unknown, operation: string) => number
  /** Seconds for which the kernel remembers that a name is absent. */
  readonly negativeValid: number
}

/** Serves one mount: takes requests off the channel, has each answered exactly once, and cancels what was interrupted. */
export class Session implements DispatchContext {
  readonly operations: FuseOperations
  readonly negativeValid: number
  readonly #channel: FuseChannel
  readonly #wishes: Wishes
  readonly #logger: Logger
  readonly #toErrno: SessionOptions['toErrno']
  readonly #reply = new ReplyBuilder()
  /** Requests that are being waited for, by `unique`. */
  readonly #pending = new Map<number, Request>()
  readonly #slabs: Buffer[] = []
  readonly #slabOf = new Map<number, Buffer>()
  readonly #counts = new Map<string, number>()
  readonly #ended = Promise.withResolvers<void>()
  readonly #initialized = Promise.withResolvers<void>()
  #serving: Request | undefined
  #handleless = false

  constructor({ channel, operations, logger, toErrno, negativeValid, enforceAcls }: SessionOptions) {
    this.#channel = channel
    this.#wishes = { enforceAcls, changes: operations.changes !== undefined }
    this.operations = operations
    this.negativeValid = negativeValid
    this.#logger = logger
    this.#toErrno = toErrno
  }

  /** Resolves when the kernel's INIT has been answered. */
  get initialized(): Promise<void> {
    return this.#initialized.promise
  }

  /** Requests served, by the name of their opcode. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** Serves until the filesystem is unmounted; rejects when the device fails. */
  run(): Promise<void> {
    this.#channel.start({
      onMessage: (message) => this.#serve(message),
      onEnd: (error) => this.#end(error),
    })
    return this.#ended.promise
  }

  get handleless(): boolean {
    return this.#handleless
  }

  init(request: Request): void {
    const reply = negotiate(request.body(InitIn), this.#wishes)
    this.#handleless = (reply.flags & handlelessFlags) === handlelessFlags
    this.#channel.reply(this.#reply.struct(request.unique, InitOut, reply))
    this.#initialized.resolve()
  }

  interrupt(unique: number): void {
    // Unknown: answered already, in the moment between the signal and the message.
    this.#pending.get(unique)?.interrupt()
  }

  slab = (size: number): Buffer => {
    const request = this.#serving as Request
    let buffer = this.#slabs.pop()
    if (buffer === undefined || buffer.length < size) buffer = Buffer.allocUnsafeSlow(size)
    this.#slabOf.set(request.unique, buffer)
    return buffer
  }

  /**
   * Tells the kernel that `name` in `parent` may stand for something else now. Resolves when it has been told; false when it
   * did not know the name.
   */
  invalidateEntry(parent: number, name: string): Promise<boolean> {
    const bytes = Buffer.from(`${name}\0`, 'latin1')
    const message = notification(NotifyCode.INVAL_ENTRY, NotifyInvalEntryOut.size + bytes.length)
    NotifyInvalEntryOut.encode(message.view, OutHeader.size, { parent, namelen: name.length, flags: 0 })
    bytes.copy(message.bytes, OutHeader.size + NotifyInvalEntryOut.size)
    return this.#channel.notify(message.bytes)
  }

  /**
   * Tells the kernel to drop a node's attributes and its pages in a range (`length` 0: to the end), or of a folder its listing. No READ of that
   * range may wait for this very call.
   */
  invalidateInode(ino: number, offset = 0, length = 0): Promise<boolean> {
    const message = notification(NotifyCode.INVAL_INODE, NotifyInvalInodeOut.size)
    NotifyInvalInodeOut.encode(message.view, OutHeader.size, { ino, off: offset, len: length })
    return this.#channel.notify(message.bytes)
  }

  #serve(message: Buffer): void {
    if (message.length < InHeader.size) {
      this.#logger.error({ bytes: message.length }, 'a message from the kernel is shorter than its header')
      return
    }
    const request = new Request(message)
    const row = rowOf(request.opcode)
    const name = row?.name ?? `opcode ${request.opcode}`
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
    if (row?.call === undefined) {
      this.#send(request, this.#reply.error(request.unique, Errno[row?.refusal ?? 'ENOSYS']))
      return
    }
    this.#serving = request
    try {
      const value = row.call(this, request)
      if (value instanceof Promise) {
        this.#pending.set(request.unique, request)
        value.then(
          (value) => this.#answer(row, request, value),
          (error: unknown) => this.#fail(row, request, error),
        )
      } else this.#answer(row, request, value)
    } catch (error) {
      this.#fail(row, request, error)
    }
  }

  #answer(row: Row, request: Request, value: unknown): void {
    if (row.encode === undefined) return
    let pieces: readonly Uint8Array[]
    try {
      pieces = row.encode(this.#reply, value, request, this)
    } catch (error) {
      row.takeBack?.(this, value)
      this.#fail(row, request, error)
      return
    }
    if (!this.#send(request, pieces)) row.takeBack?.(this, value)
  }

  #fail(row: Row, request: Request, error: unknown): void {
    if (row.encode === undefined) {
      this.#logger.error(
        { operation: row.name, error: messageOf(error) },
        'a message from the kernel could not be served',
      )
      return
    }
    const interrupted = request.interrupted && isAbort(error, request.signal)
    const errno = interrupted ? Errno.EINTR : this.#toErrno(error, row.name)
    this.#send(request, this.#reply.error(request.unique, errno))
  }

  /** False when the kernel did not get these pieces. */
  #send(request: Request, pieces: readonly Uint8Array[]): boolean {
    this.#pending.delete(request.unique)
    const isSent = this.#replyOrRefuse(request, pieces)
    const slab = this.#slabOf.get(request.unique)
    if (slab !== undefined) {
      this.#slabOf.delete(request.unique)
      this.#slabs.push(slab)
    }
    return isSent
  }

  /** Whoever asked waits for ever without an answer: where the kernel does not take this one, it takes an error. */
  #replyOrRefuse(request: Request, pieces: readonly Uint8Array[]): boolean {
    try {
      return this.#channel.reply(pieces)
    } catch (error) {
      this.#logger.error(
        { opcode: request.opcode, error: messageOf(error) },
        'a reply was refused by the kernel',
      )
    }
    try {
      this.#channel.reply(this.#reply.error(request.unique, Errno.EIO))
    } catch {
      // Nothing else can be said to it.
    }
    return false
  }

  #end(error: Error | undefined): void {
    for (const request of this.#pending.values()) request.interrupt()
    if (error === undefined) this.#ended.resolve()
    else this.#ended.reject(error)
    this.#initialized.reject(error ?? new Error('unmounted before it was ready'))
    this.#initialized.promise.catch(() => {})
  }
}

/** An unasked message of `size` bytes behind the header, which has the code in place of the error and no `unique`. */
function notification(code: number, size: number): { bytes: Buffer; view: DataView } {
  const bytes = Buffer.alloc(OutHeader.size + size)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  OutHeader.encode(view, 0, { len: bytes.length, error: code, unique: 0 })
  return { bytes, view }
}

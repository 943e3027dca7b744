import type { ChannelHandlers, FuseChannel } from '../../src/fuse/channel.ts'
import { InHeader, InitIn, Opcode, type OpcodeName, OutHeader } from '../../src/fuse/protocol.ts'
import type { Fields, FieldsOf, Struct } from '../../src/fuse/struct.ts'

export interface Reply {
  readonly unique: number
  /** 0, or a negative error number. */
  readonly error: number
  readonly body: Buffer
}

/** The kernel's side of a channel: makes requests out of the same structs, and waits for their replies. */
export class KernelDouble implements FuseChannel {
  readonly notifications: Buffer[] = []
  /** Every reply in the order it was sent, unasked ones included. */
  readonly replies: Reply[] = []
  /** What becomes of a reply with a body: taken, no longer waited for, or refused. */
  fate: 'taken' | 'unwanted' | 'refused' = 'taken'
  /** Who asks. */
  caller = { uid: 0, gid: 0 }
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  #handlers: ChannelHandlers | undefined
  #unique = 0

  start(handlers: ChannelHandlers): void {
    this.#handlers = handlers
  }

  reply(pieces: readonly Uint8Array[]): boolean {
    const message = Buffer.concat(pieces)
    const header = OutHeader.decode(viewOf(message), 0)
    if (header.len !== message.length)
      throw new Error(`a reply of ${message.length} bytes says ${header.len}`)
    if (message.length > OutHeader.size && this.fate === 'refused') throw new Error('EINVAL')
    if (message.length > OutHeader.size && this.fate === 'unwanted') return false
    const reply = { unique: header.unique, error: header.error, body: message.subarray(OutHeader.size) }
    this.replies.push(reply)
    this.#waiting.get(reply.unique)?.(reply)
    return true
  }

  async notify(message: Uint8Array): Promise<boolean> {
    this.notifications.push(Buffer.from(message))
    return true
  }

  /** Sends one request; `parts` follow the header. Resolves with its reply. */
  request(name: OpcodeName, nodeid: number, ...parts: Uint8Array[]): Promise<Reply> & { unique: number } {
    this.#unique += 2
    const unique = this.#unique
    const { promise, resolve } = Promise.withResolvers<Reply>()
    this.#waiting.set(unique, resolve)
    this.send(Opcode[name], unique, nodeid, parts)
    return Object.assign(promise, { unique })
  }

  /** Sends a message that has no reply. */
  tell(name: OpcodeName, nodeid: number, ...parts: Uint8Array[]): void {
    this.#unique += 2
    this.send(Opcode[name], this.#unique, nodeid, parts)
  }

  send(opcode: number, unique: number, nodeid: number, parts: readonly Uint8Array[]): void {
    const body = Buffer.concat(parts)
    const header = encode(InHeader, {
      len: InHeader.size + body.length,
      opcode,
      unique,
      nodeid,
      ...this.caller,
      pid: 1,
      totalExtlen: 0,
      padding: 0,
    })
    this.deliver(Buffer.concat([header, body]))
  }

  /** Hands raw bytes to the session, as if read from the device: in a buffer that is overwritten as soon as it returns. */
  deliver(message: Buffer): void {
    const buffer = Buffer.from(message)
    this.#handlers?.onMessage(buffer)
    buffer.fill('!')
  }

  init(flags = 0x73fffffb | 0): Promise<Reply> {
    return this.request(
      'INIT',
      0,
      encode(InitIn, { major: 7, minor: 45, maxReadahead: 131072, flags }),
      Buffer.alloc(48),
    )
  }

  end(): void {
    this.#handlers?.onEnd()
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

export function encode<F extends Fields>(type: Struct<F>, value: FieldsOf<Struct<F>>): Buffer {
  const bytes = Buffer.alloc(type.size)
  type.encode(viewOf(bytes), 0, value as Parameters<Struct<F>['encode']>[2])
  return bytes
}

export function decode<F extends Fields>(type: Struct<F>, bytes: Uint8Array, at = 0): FieldsOf<Struct<F>> {
  return type.decode(viewOf(bytes), at) as FieldsOf<Struct<F>>
}

export function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'latin1')
}

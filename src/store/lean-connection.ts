import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { guardStream } from './guarded-agent.ts'
import type { WriteGuard } from './object-store.ts'

/** The part of an HTTP answer that a request for an object needs; the bytes lie in a buffer of their own. */
export interface LeanAnswer {
  /** 200 and 206 bring what was asked for, if anything was, any other a short text that says why not. */
  readonly status: number
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>
  readonly bytes: Buffer
}

/** The answer is not of the plain kind this client understands: the request is to be made again in the ordinary way. */
export class NotPlain extends Error {
  override readonly name = 'NotPlain'
}

export interface LeanServer {
  readonly host: string
  readonly port: number
  /** undefined: plain HTTP. */
  readonly tls: ConnectionOptions | undefined
  readonly connectTimeout: number
  /** Milliseconds without a byte. */
  readonly responseTimeout: number
  /** Asked before anything goes out. */
  readonly guard?: WriteGuard | undefined
}

/** What is asked for, so that an answer is believed only as far as it fits. */
export interface LeanRequest {
  readonly head: string
  /** Goes behind the head; does not change until there is an answer. */
  readonly body?: Buffer | undefined
  /** Bytes of the range in `head`; undefined when the whole object is asked for. */
  readonly rangeLength?: number | undefined
  /** Where the bytes are put if they fit. */
  readonly into?: Buffer | undefined
}

/** No server's head is larger, nor what it says of an error. */
const largestHead = 64 << 10
/** The memory for an answer is taken on the word of its head: a whole object that is larger is better read as it comes. */
const largestWhole = 64 << 20
const headEnd = Buffer.from('\r\n\r\n')

interface Exchange {
  readonly request: LeanRequest
  readonly resolve: (answer: LeanAnswer) => void
  readonly reject: (error: Error) => void
}

/**
 * One kept connection to an HTTP/1.1 server, for one request at a time. The socket reads straight into the answer's own buffer: no stream, no
 * pieces to join. Understands answers of a stated length; everything else is `NotPlain` and closes the connection.
 */
export class LeanConnection {
  readonly #server: LeanServer
  readonly #socket: Socket
  readonly #head = Buffer.allocUnsafeSlow(largestHead)
  #headLength = 0
  #answer: (LeanAnswer & { filled: number }) | undefined
  #exchange: Exchange | undefined
  #connected = false
  #usable = true
  #idleSince = 0

  constructor(server: LeanServer) {
    this.#server = server
    const onread = {
      buffer: () => this.#room(),
      callback: (length: number) => this.#read(length),
    }
    const { host, port, tls } = server
    this.#socket =
      tls === undefined
        ? connect({ host, port, noDelay: true, onread })
        : connectTls({ ...tls, host, port, onread } as ConnectionOptions)
    if (server.guard !== undefined) guardStream(this.#socket, server.guard)
    this.#socket.setTimeout(server.connectTimeout)
    this.#socket.on(tls === undefined ? 'connect' : 'secureConnect', () => {
      this.#connected = true
      this.#socket.setNoDelay(true)
      this.#socket.setTimeout(server.responseTimeout)
    })
    this.#socket.on('timeout', () => {
      // Idle in the pool: the server's own limit decides.
      if (this.#exchange !== undefined || !this.#connected)
        this.#fail(Object.assign(new Error('the server did not answer in time'), { code: 'ETIMEDOUT' }))
    })
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.destroy())
  }

  /** Whether another request may be sent once this one is answered. */
  get usable(): boolean {
    return this.#usable
  }

  /** Milliseconds since its last answer. */
  get idleTime(): number {
    return performance.now() - this.#idleSince
  }

  /** Whether any byte of the present answer has come. */
  get hasBegun(): boolean {
    return this.#headLength > 0
  }

  request(request: LeanRequest): Promise<LeanAnswer> {
    this.#headLength = 0
    this.#answer = undefined
    this.#socket.ref()
    // The time in the pool does not count.
    if (this.#connected) this.#socket.setTimeout(this.#server.responseTimeout)
    return new Promise((resolve, reject) => {
      this.#exchange = { request, resolve, reject }
      const { head, body } = request
      if (body === undefined) this.#socket.write(head, 'latin1')
      else {
        this.#socket.cork()
        this.#socket.write(head, 'latin1')
        this.#socket.write(body)
        this.#socket.uncork()
      }
    })
  }

  /** What is under way fails, as if the server had closed it. */
  destroy(): void {
    this.#fail(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }))
  }

  /** Where the next bytes go: the head, or what is missing of the body. */
  #room(): Buffer {
    const answer = this.#answer
    if (answer === undefined || answer.filled === answer.bytes.length)
      return this.#head.subarray(this.#headLength)
    return answer.bytes.subarray(answer.filled)
  }

  #read(length: number): boolean {
    const exchange = this.#exchange
    if (exchange === undefined) {
      // Bytes that nobody asked for.
      this.#fail(new NotPlain('unasked bytes'))
      return false
    }
    if (this.#answer === undefined) this.#readHead(length, exchange.request)
    else this.#answer.filled += length
    this.#finishIfWhole()
    return !this.#socket.destroyed
  }

  #readHead(length: number, request: LeanRequest): void {
    const from = Math.max(0, this.#headLength - headEnd.length)
    this.#headLength += length
    const received = this.#head.subarray(0, this.#headLength)
    const end = received.indexOf(headEnd, from)
    if (end === -1) {
      if (this.#headLength === largestHead) this.#fail(new NotPlain('the head of the answer is too long'))
      return
    }
    const parsed = parseHead(received.toString('latin1', 0, end))
    const rest = received.subarray(end + headEnd.length)
    if (parsed === undefined || !isAsked(parsed, request) || rest.length > parsed.length) {
      this.#fail(new NotPlain('the answer is not plain'))
      return
    }
    let bytes: Buffer
    try {
      bytes = roomFor(parsed, request)
    } catch (error) {
      // Nobody stands above this callback of the socket's.
      this.#fail(error as Error)
      return
    }
    rest.copy(bytes)
    const closes = parsed.headers.get('connection')?.toLowerCase() === 'close'
    // What is left of a body that the server did not wait for would be taken for the next request.
    if (closes || this.#socket.writableLength > 0) this.#usable = false
    this.#answer = { status: parsed.status, headers: parsed.headers, bytes, filled: rest.length }
  }

  #finishIfWhole(): void {
    const answer = this.#answer
    const exchange = this.#exchange
    if (answer === undefined || exchange === undefined || answer.filled < answer.bytes.length) return
    this.#exchange = undefined
    this.#answer = undefined
    this.#idleSince = performance.now()
    this.#headLength = 0
    if (this.#usable) this.#socket.unref()
    else this.#socket.destroy()
    exchange.resolve(answer)
  }

  #fail(error: Error): void {
    this.#usable = false
    this.#socket.destroy()
    const exchange = this.#exchange
    this.#exchange = undefined
    exchange?.reject(error)
  }
}

interface ParsedHead {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly length: number
}

/** Whether what comes can be what was asked for: a server may not know ranges, or announce more than there is memory. */
function isAsked({ status, length }: ParsedHead, { rangeLength, into }: LeanRequest): boolean {
  if (!isSuccess(status)) return length <= largestHead
  if (rangeLength !== undefined) return status === 206 && length <= rangeLength
  return status === 200 && length <= Math.max(largestWhole, into?.length ?? 0)
}

function roomFor({ status, length }: ParsedHead, { into }: LeanRequest): Buffer {
  const fits = isSuccess(status) && into !== undefined && into.length >= length
  return fits ? into.subarray(0, length) : Buffer.allocUnsafeSlow(length)
}

/** undefined for an answer that is not plain. */
function parseHead(text: string): ParsedHead | undefined {
  const [first = '', ...lines] = text.split('\r\n')
  const status = Number(/^HTTP\/1\.1 (200|206|[45]\d\d) /.exec(`${first} `)?.[1])
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  const length = Number(headers.get('content-length'))
  const isPlain =
    !Number.isNaN(status) &&
    headers.has('content-length') &&
    Number.isSafeInteger(length) &&
    length >= 0 &&
    !headers.has('transfer-encoding') &&
    !headers.has('content-encoding')
  return isPlain ? { status, headers, length } : undefined
}

export function isSuccess(status: number): boolean {
  return status === 200 || status === 206
}

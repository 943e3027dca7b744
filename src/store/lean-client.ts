import { type Abortable, orAborted } from '../base/abort.ts'
import { codeOf } from '../base/errors.ts'
import type { Semaphore } from '../base/semaphore.ts'
import {
  isSuccess,
  type LeanAnswer,
  LeanConnection,
  type LeanRequest,
  type LeanServer,
  NotPlain,
} from './lean-connection.ts'
import { type Credentials, encodeKey, RequestSigner, type UnsignedRequest } from './sign-request.ts'

export interface LeanBucket extends LeanServer {
  /** Of the `Host` header: with the port where it is not the usual one. */
  readonly hostHeader: string
  /** Before the key; begins and ends in a slash. */
  readonly basePath: string
}

export interface LeanClientOptions {
  readonly region: string
  /** Always the same one. */
  readonly server: () => Promise<LeanBucket>
  /** So many requests at a time. */
  readonly places: Semaphore
  readonly credentials: () => Promise<Credentials>
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: (() => number) | undefined
}

/** What the server answered instead of the object, in the shape of the SDK's errors. */
class Refusal extends Error {
  readonly $metadata: { readonly httpStatusCode: number }

  /** `name`: S3's own code. */
  constructor(name: string, status: number) {
    super(`${name} (${status})`)
    this.name = name
    this.$metadata = { httpStatusCode: status }
  }
}

/** Puts in a row whose answers are not plain, after which none is sent twice for a while. */
const oddPuts = 3
/** Milliseconds of that while: keys that had expired, or a proxy on the way, are not for ever. What is always odd is sent twice only once in it. */
const oddWhile = 60_000
/** Milliseconds. A router forgets a silent connection without a word, and what is then sent over it is answered by nobody. */
const longestIdle = 20_000

/**
 * GetObject and PutObject without the SDK's machinery, which costs several times the CPU of the request itself and, on a machine with two cores, most
 * of the rate of small files. What is not plain (`NotPlain`: redirects, chunked answers, refused credentials) is left to the SDK.
 */
export class LeanClient {
  readonly #options: LeanClientOptions
  readonly #signer: RequestSigner
  readonly #now: () => number
  readonly #open = new Set<LeanConnection>()
  readonly #idle: LeanConnection[] = []
  #closed = false
  /** Of the puts before, in a row. */
  #odd = 0
  /** Until then puts are left to the SDK. */
  #oddUntil = 0

  constructor(options: LeanClientOptions) {
    this.#options = options
    this.#signer = new RequestSigner(options.region)
    this.#now = options.now ?? (() => performance.now())
  }

  /** Rejects with `NotPlain`, what the server said, an error of the network, or the signal's reason. `headers` have lower-case names. */
  async get(
    key: string,
    headers: Readonly<Record<string, string>>,
    { signal, ...expected }: Omit<LeanRequest, 'head' | 'body'> & Abortable,
  ): Promise<LeanAnswer> {
    return await this.#send({ method: 'GET', key, headers }, expected, signal)
  }

  /** Stores an object; `sha256`: of its bytes, which the server compares. Rejects as `get` does. */
  async put(
    key: string,
    body: Buffer,
    { sha256, signal }: { sha256: Buffer } & Abortable,
  ): Promise<LeanAnswer> {
    if (this.#now() < this.#oddUntil) throw new NotPlain('nor was what this server answered before')
    const headers = { 'content-length': String(body.length), 'content-type': 'application/octet-stream' }
    try {
      const answer = await this.#send({ method: 'PUT', key, headers, sha256 }, { body }, signal)
      this.#odd = 0
      return answer
    } catch (error) {
      if (error instanceof NotPlain && ++this.#odd >= oddPuts) this.#oddUntil = this.#now() + oddWhile
      throw error
    }
  }

  /** Closes all connections; what is under way fails. */
  close(): void {
    this.#closed = true
    this.#idle.length = 0
    for (const connection of this.#open) connection.destroy()
    this.#open.clear()
  }

  async #send(
    { key, ...asked }: Omit<UnsignedRequest, 'host' | 'path'> & { readonly key: string },
    expected: Omit<LeanRequest, 'head'>,
    signal: AbortSignal | undefined,
  ): Promise<LeanAnswer> {
    signal?.throwIfAborted()
    using _place = await this.#options.places.acquire({ signal })
    const server = await orAborted(this.#options.server(), signal)
    const path = server.basePath + encodeKey(key)
    const credentials = await orAborted(this.#options.credentials(), signal)
    const signed = this.#signer.sign(credentials, { ...asked, host: server.hostHeader, path })
    const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`)
    // Some servers close the connection unless they are asked not to, though HTTP/1.1 keeps it.
    const head = `${asked.method} ${path} HTTP/1.1\r\nconnection: keep-alive\r\n${lines.join('')}\r\n`
    const answer = await this.#request(server, { head, ...expected }, signal)
    if (!isSuccess(answer.status)) throw refusalOf(answer)
    return answer
  }

  async #request(
    server: LeanServer,
    request: LeanRequest,
    signal: AbortSignal | undefined,
  ): Promise<LeanAnswer> {
    const kept = this.#take()
    try {
      return await this.#ask(kept ?? this.#connect(server), request, signal)
    } catch (error) {
      // The server had closed it while it was idle: the request has not been seen.
      const code = codeOf(error)
      const isStale = kept?.hasBegun === false && (code === 'ECONNRESET' || code === 'EPIPE')
      if (!isStale || signal?.aborted) throw error
      return this.#ask(this.#connect(server), request, signal)
    }
  }

  async #ask(
    connection: LeanConnection,
    request: LeanRequest,
    signal: AbortSignal | undefined,
  ): Promise<LeanAnswer> {
    try {
      const answer = await orAborted(connection.request(request), signal)
      if (connection.usable) this.#idle.push(connection)
      else this.#open.delete(connection)
      return answer
    } catch (error) {
      // After an abort the answer is still on its way.
      connection.destroy()
      this.#open.delete(connection)
      throw error
    }
  }

  /** The connection used last: the others may grow old. */
  #take(): LeanConnection | undefined {
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop()) {
      if (kept.usable && kept.idleTime < longestIdle) return kept
      kept.destroy()
      this.#open.delete(kept)
    }
    return undefined
  }

  #connect(server: LeanServer): LeanConnection {
    if (this.#closed) throw Object.assign(new Error('the store is closed'), { code: 'ECONNABORTED' })
    const connection = new LeanConnection(server)
    this.#open.add(connection)
    return connection
  }
}

/** Credentials, redirects and what else the SDK knows more about are its own. */
function refusalOf({ status, bytes }: LeanAnswer): Error {
  const code = /<Code>(\w+)<\/Code>/.exec(bytes.toString())?.[1]
  const isClear =
    code === 'NoSuchKey' || code === 'NoSuchBucket' || [412, 416, 429].includes(status) || status >= 500
  return isClear ? new Refusal(code ?? '', status) : new NotPlain(`answer ${status}`)
}

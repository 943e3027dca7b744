/**
 * A small HTTP proxy between jbfs and an S3 server: counts requests by kind, delays answers, and makes them fail. Each connection has one of its own
 * to the server, and bytes go through as they are: signatures stay valid, and 2,000 requests a second cost little. As a program, for the benchmark:
 * `node test/support/fault-proxy.ts --target URL --latency MS` prints its endpoint, then its counters as JSON for every line it reads.
 */
import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

export type RequestKind = 'GET' | 'HEAD' | 'LIST' | 'PUT' | 'POST' | 'DELETE'

export interface SeenRequest {
  readonly kind: RequestKind
  /** Path and query as they came. */
  readonly url: string
}

export interface Injection {
  readonly match?: (request: SeenRequest) => boolean
  /** A status to answer with, a reset, an answer that breaks off half-way or stops there, or none at all. */
  readonly fault: 500 | 503 | 'reset' | 'half' | 'stall' | 'hang'
  /** How many requests are hit; all that match when left out. */
  readonly times?: number
}

export interface FaultProxy extends AsyncDisposable {
  readonly endpoint: string
  /** Milliseconds before the first byte of every answer. */
  latency: number
  readonly requests: readonly SeenRequest[]
  counts(): Record<RequestKind, number>
  inject(injection: Injection): void
  /** Forgets all injections and counts; requests that hang are reset. */
  reset(): void
  /** Resets all connections, as a server does with those that have been idle for long. */
  resetConnections(): void
}

export async function startFaultProxy(target: string, { latency = 0 } = {}): Promise<FaultProxy> {
  const { hostname, port } = new URL(target)
  let requests: SeenRequest[] = []
  let injections: (Injection & { left: number })[] = []
  const exchanges = new Set<Exchange>()

  function judge(seen: SeenRequest): Verdict {
    requests.push(seen)
    const hit = injections.find(({ left, match }) => left > 0 && (match?.(seen) ?? true))
    if (hit !== undefined) hit.left--
    return { fault: hit?.fault, latency: proxy.latency }
  }

  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true })
    const exchange = new Exchange(client, upstream, judge)
    exchanges.add(exchange)
    client.on('close', () => exchanges.delete(exchange))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address() as { port: number }
  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${address.port}`,
    latency,
    get requests() {
      return requests
    },
    counts() {
      const counts: Record<RequestKind, number> = { GET: 0, HEAD: 0, LIST: 0, PUT: 0, POST: 0, DELETE: 0 }
      for (const { kind } of requests) counts[kind]++
      return counts
    },
    inject(injection) {
      injections.push({ ...injection, left: injection.times ?? Number.POSITIVE_INFINITY })
    },
    reset() {
      requests = []
      injections = []
      for (const exchange of exchanges) if (exchange.isStuck) exchange.reset()
    },
    resetConnections() {
      for (const exchange of exchanges) exchange.reset()
    },
    async [Symbol.asyncDispose]() {
      proxy.resetConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}

interface Verdict {
  readonly fault: Injection['fault'] | undefined
  readonly latency: number
}

const headEnd = Buffer.from('\r\n\r\n')

/**
 * A client's connection and the server's that belongs to it. A client sends its next request when the answer to the last one is there, so what
 * comes from the server belongs to the last request seen.
 */
class Exchange {
  readonly #client: Socket
  readonly #server: Socket
  readonly #judge: (request: SeenRequest) => Verdict
  /** What has come of a request's head, and how much of its body is still to come. */
  #head: Buffer | undefined
  #bodyLeft = 0
  #fault: Verdict['fault']
  /** When the answer may go out, and what of it has come before. */
  #due = 0
  #waiting: Buffer[] | undefined
  /** Under a fault that cuts the answer: what has come of its head, and how many bytes may still go out. */
  #answerHead: Buffer | undefined
  #allowed: number | undefined

  constructor(client: Socket, server: Socket, judge: (request: SeenRequest) => Verdict) {
    this.#client = client
    this.#server = server
    this.#judge = judge
    client.on('data', (bytes) => this.#fromClient(bytes))
    client.on('drain', () => server.resume())
    client.on('error', () => server.destroy())
    client.on('close', () => server.destroy())
    server.on('data', (bytes) => this.#fromServer(bytes))
    server.on('drain', () => client.resume())
    server.on('error', () => {})
    server.on('close', () => {
      if (this.#waiting === undefined && !this.isStuck) client.end()
    })
  }

  get isStuck(): boolean {
    return this.#fault === 'hang' || this.#fault === 'stall'
  }

  reset(): void {
    this.#client.resetAndDestroy()
    this.#server.destroy()
  }

  #fromClient(bytes: Buffer): void {
    if (this.#bodyLeft > 0) {
      const body = bytes.subarray(0, this.#bodyLeft)
      this.#bodyLeft -= body.length
      this.#toServer(body)
      // The rest of a body that was answered early, and the next request behind it.
      if (body.length < bytes.length) this.#fromClient(bytes.subarray(body.length))
      return
    }
    const head = this.#head === undefined ? bytes : Buffer.concat([this.#head, bytes])
    const end = head.indexOf(headEnd)
    if (end === -1) {
      this.#head = head
      return
    }
    this.#head = undefined
    const text = head.toString('latin1', 0, end)
    this.#bodyLeft = lengthOf(text) - (head.length - end - headEnd.length)
    const { fault, latency } = this.#judge(requestOf(text))
    this.#fault = fault
    this.#answerHead = undefined
    this.#allowed = undefined
    if (latency > 0) this.#delay(latency)
    if (fault === 'reset') this.reset()
    else if (fault === 500 || fault === 503) this.#refuse(fault)
    else this.#toServer(head)
  }

  /** A request that is refused, or never answered, does not reach the server. */
  #toServer(bytes: Buffer): void {
    if (this.#fault === 'hang' || typeof this.#fault === 'number') return
    if (!this.#server.write(bytes)) this.#client.pause()
  }

  #refuse(status: 500 | 503): void {
    const reason = status === 500 ? 'Internal Server Error' : 'Service Unavailable'
    const body = `<Error><Code>${status === 500 ? 'InternalError' : 'SlowDown'}</Code></Error>`
    const headers = `content-type: application/xml\r\ncontent-length: ${body.length}`
    this.#fromServer(Buffer.from(`HTTP/1.1 ${status} ${reason}\r\n${headers}\r\n\r\n${body}`))
  }

  #delay(latency: number): void {
    this.#waiting = []
    this.#due = performance.now() + latency
    const wait = (): void => {
      const left = this.#due - performance.now()
      // Timers may fire up to a millisecond early.
      if (left > 0) setTimeout(wait, left)
      else this.#release()
    }
    wait()
  }

  #release(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const bytes of waiting) this.#fromServer(bytes)
    if (this.#server.closed && !this.isStuck) this.#client.end()
  }

  #fromServer(bytes: Buffer): void {
    if (this.#waiting !== undefined) this.#waiting.push(bytes)
    else if (this.#fault === 'half' || this.#fault === 'stall') this.#cut(bytes)
    else if (!this.#client.write(bytes)) this.#server.pause()
  }

  /** The head and half of the body. */
  #cut(bytes: Buffer): void {
    let next = bytes
    if (this.#allowed === undefined) {
      next = this.#answerHead === undefined ? bytes : Buffer.concat([this.#answerHead, bytes])
      this.#answerHead = next
      const end = next.indexOf(headEnd)
      if (end === -1) return
      this.#allowed = end + headEnd.length + (lengthOf(next.toString('latin1', 0, end)) >> 1)
    }
    if (this.#allowed === 0) return
    this.#client.write(next.subarray(0, this.#allowed))
    this.#allowed = Math.max(0, this.#allowed - next.length)
    if (this.#allowed === 0 && this.#fault === 'half') this.#client.end()
  }
}

function requestOf(head: string): SeenRequest {
  const [method = '', url = ''] = head.split(' ', 2)
  const isListing = method === 'GET' && /[?&]list-type=2/.test(url)
  return { kind: isListing ? 'LIST' : (method as RequestKind), url }
}

function lengthOf(head: string): number {
  return Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { target: { type: 'string' }, latency: { type: 'string', default: '0' } },
  })
  const proxy = await startFaultProxy(values.target as string, { latency: Number(values.latency) })
  console.log(proxy.endpoint)
  for await (const _line of createInterface({ input: process.stdin }))
    console.log(JSON.stringify(proxy.counts()))
  await proxy[Symbol.asyncDispose]()
}

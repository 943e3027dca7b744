/**
 * A small HTTP proxy between jbfs and an S3 server: counts requests by kind, delays answers, and makes them fail. The `Host` header goes through as
 * it is, so that signatures stay valid. As a program, for the benchmark: `node test/support/fault-proxy.ts --target URL --latency MS` prints its
 * endpoint, then its counters as JSON for every line it reads.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'

export type RequestKind = 'GET' | 'HEAD' | 'LIST' | 'PUT' | 'POST' | 'DELETE'

export interface SeenRequest {
  readonly kind: RequestKind
  /** Path and query as they came. */
  readonly url: string
}

export interface Injection {
  readonly match?: (request: SeenRequest) => boolean
  /** An HTTP status to answer with, a connection reset, an answer that breaks off half-way, or none at all. */
  readonly fault: 500 | 503 | 'reset' | 'half' | 'hang'
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
}

export async function startFaultProxy(target: string, { latency = 0 } = {}): Promise<FaultProxy> {
  const { hostname, port } = new URL(target)
  const agent = new Agent({ keepAlive: true, maxSockets: 512 })
  let requests: SeenRequest[] = []
  let injections: (Injection & { left: number })[] = []
  const hanging = new Set<IncomingMessage>()

  const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, outgoing) => {
    const seen = { kind: kindOf(incoming), url: incoming.url ?? '' }
    requests.push(seen)
    const hit = injections.find(({ left, match }) => left > 0 && (match?.(seen) ?? true))
    if (hit !== undefined) hit.left--
    serve(incoming, outgoing, hit?.fault).catch(() => incoming.socket.destroy())
  })

  async function serve(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    fault: Injection['fault'] | undefined,
  ): Promise<void> {
    const due = performance.now() + proxy.latency
    if (fault === 'hang') {
      hanging.add(incoming)
      return
    }
    if (fault === 'reset') {
      incoming.socket.resetAndDestroy()
      return
    }
    if (fault === 500 || fault === 503) {
      incoming.resume()
      outgoing.writeHead(fault, { 'content-type': 'application/xml' })
      outgoing.end('<Error><Code>InternalError</Code></Error>')
      return
    }
    const answer = await forward(incoming)
    const left = due - performance.now()
    if (left > 1) await delay(left)
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
    if (fault === 'half') {
      const half = Number(answer.headers['content-length'] ?? 0) >> 1
      let sent = 0
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        outgoing.write(chunk.subarray(0, Math.max(0, half - sent)))
        sent += chunk.length
      }
      incoming.socket.end()
      return
    }
    answer.pipe(outgoing)
    answer.on('error', () => incoming.socket.destroy())
    outgoing.on('close', () => answer.destroy())
  }

  function forward(incoming: IncomingMessage): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = {
        hostname,
        port,
        agent,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.rawHeaders,
      }
      const outgoing = request(options, resolve)
      outgoing.on('error', reject)
      incoming.on('close', () => {
        if (!incoming.complete) outgoing.destroy()
      })
      incoming.pipe(outgoing)
    })
  }

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
      for (const incoming of hanging) incoming.socket.destroy()
      hanging.clear()
    },
    async [Symbol.asyncDispose]() {
      proxy.reset()
      server.closeAllConnections()
      agent.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}

function kindOf({ method, url = '' }: IncomingMessage): RequestKind {
  return method === 'GET' && /[?&]list-type=2/.test(url) ? 'LIST' : (method as RequestKind)
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

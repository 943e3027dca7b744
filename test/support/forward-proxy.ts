import { createServer, request } from 'node:http'
import { connect } from 'node:net'

export interface ForwardProxy extends AsyncDisposable {
  /** With its user and password. */
  readonly url: string
  readonly password: string
  /** What it was asked for: `CONNECT host:port`, `GET http://host/path`. */
  readonly requests: readonly string[]
}

/** An HTTP proxy as companies have them: tunnels, forwards plain requests, and lets nobody by without a password. */
export async function startForwardProxy(): Promise<ForwardProxy> {
  const password = 'proxy-password-7'
  const authorization = `Basic ${Buffer.from(`user:${password}`).toString('base64')}`
  const requests: string[] = []
  const server = createServer((incoming, answer) => {
    requests.push(`${incoming.method} ${incoming.url}`)
    if (incoming.headers['proxy-authorization'] !== authorization) return void answer.writeHead(407).end()
    const { 'proxy-authorization': _, ...headers } = incoming.headers
    const outgoing = request(incoming.url as string, { method: incoming.method, headers }, (answered) => {
      answer.writeHead(answered.statusCode as number, answered.headers)
      answered.pipe(answer)
    })
    outgoing.on('error', () => answer.writeHead(502).end())
    incoming.pipe(outgoing)
  })
  server.on('connect', (incoming, client, head) => {
    requests.push(`CONNECT ${incoming.url}`)
    client.on('error', () => {})
    if (incoming.headers['proxy-authorization'] !== authorization)
      return void client.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n')
    const target = new URL(`http://${incoming.url}`)
    const upstream = connect(Number(target.port), target.hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.write(head)
      client.pipe(upstream).pipe(client)
    })
    upstream.on('error', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `http://user:${password}@127.0.0.1:${port}`,
    password,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

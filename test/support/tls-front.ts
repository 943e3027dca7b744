import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { createServer } from 'node:tls'
import { makeCertificate } from './certificate.ts'
import { temporaryFolder } from './mounted.ts'

export interface TlsFront extends AsyncDisposable {
  readonly endpoint: string
  /** PEM file; nobody vouches for it but itself. */
  readonly certificate: string
}

/** TLS before a server that speaks plain HTTP. */
export async function startTlsFront(server: string): Promise<TlsFront> {
  const folder = await temporaryFolder()
  const { key, certificate } = await makeCertificate(folder.path, ['IP:127.0.0.1'])
  const target = new URL(server)
  const front = createServer({ key: await readFile(key), cert: await readFile(certificate) }, (client) => {
    const inner = connect(Number(target.port), target.hostname)
    client.pipe(inner).pipe(client)
    client.on('error', () => inner.destroy())
    inner.on('error', () => client.destroy())
  })
  // Refused handshakes are what is tested.
  front.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  const { port } = front.address() as { port: number }
  return {
    endpoint: `https://127.0.0.1:${port}`,
    certificate,
    async [Symbol.asyncDispose]() {
      front.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

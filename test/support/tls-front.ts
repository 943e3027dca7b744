import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { temporaryFolder } from './mounted.ts'
import { output } from './run.ts'

export interface TlsFront extends AsyncDisposable {
  readonly endpoint: string
  /** PEM file; nobody vouches for it but itself. */
  readonly certificate: string
}

/** TLS before a server that speaks plain HTTP. */
export async function startTlsFront(server: string): Promise<TlsFront> {
  const folder = await temporaryFolder()
  const [key, certificate] = [join(folder.path, 'key.pem'), join(folder.path, 'certificate.pem')]
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-days', '2', '-keyout', key, '-out', certificate]
  await output('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...files, ...subject])
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

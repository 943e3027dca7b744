import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import test from 'ava'
import { objectKey } from '../../src/store/object-store.ts'
import { s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { temporaryFolder } from '../support/mounted.ts'
import { output } from '../support/run.ts'
import { availableS3Servers, startS3Server, whyNoS3 } from '../support/s3-server.ts'

const title =
  'a certificate that nobody vouches for is refused, unless its authority is given or no check is wanted'
const [name] = availableS3Servers()

if (name === undefined) test.skip(`${title} (skipped: ${whyNoS3})`, () => {})
else
  test(title, async (t) => {
    await using folder = await temporaryFolder()
    const [key, certificate] = [join(folder.path, 'key.pem'), join(folder.path, 'certificate.pem')]
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
    await output('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      key,
      '-out',
      certificate,
      ...subject,
    ])
    await using server = await startS3Server(name)
    const bucket = await server.createBucket()
    const target = new URL(server.endpoint)
    const front = createServer({ key: await readFile(key), cert: await readFile(certificate) }, (client) => {
      const inner = connect(Number(target.port), target.hostname)
      client.pipe(inner).pipe(client)
      client.on('error', () => inner.destroy())
      inner.on('error', () => client.destroy())
    })
    // Refused handshakes are what is tested.
    front.on('tlsClientError', () => {})
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = front.address() as { port: number }
      const { accessKeyId, secretAccessKey, region } = server
      const open = (settings: { verifyTls: boolean; caFile?: string }): S3Store =>
        new S3Store({
          ...s3Defaults,
          ...settings,
          bucket,
          prefix: '',
          endpoint: `https://127.0.0.1:${port}`,
          region,
          addressing: 'path',
          credentials: { accessKeyId, secretAccessKey },
        })
      using distrusting = open({ verifyTls: true })
      const error = await t.throwsAsync(distrusting.get(objectKey('key')), { code: 'tls' })
      t.regex(error.message, /^[^\n]*--ca-file[^\n]*$/)
      await t.throwsAsync(distrusting.head(objectKey('key')), { code: 'tls' })
      for (const settings of [{ verifyTls: true, caFile: certificate }, { verifyTls: false }]) {
        using store = open(settings)
        await store.put(objectKey('key'), Buffer.from('over TLS'))
        t.is((await store.get(objectKey('key')))?.bytes.toString(), 'over TLS')
        t.is(
          (await store.get(objectKey('key'), { range: { offset: 5, length: 3 } }))?.bytes.toString(),
          'TLS',
        )
        const large = randomBytes(20 << 20)
        await store.put(objectKey('large'), large)
        const into = Buffer.alloc(large.length)
        const bodies = [store.get(objectKey('large')), store.get(objectKey('large'), { into })]
        for (const body of await Promise.all(bodies)) t.true(body?.bytes.equals(large))
      }
    } finally {
      front.close()
    }
  })

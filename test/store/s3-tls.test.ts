import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { objectKey } from '../../src/store/object-store.ts'
import { type S3StoreOptions, s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { availableS3Servers, startS3Server, whyNoS3 } from '../support/s3-server.ts'
import { testUnless } from '../support/test-unless.ts'
import { startTlsFront } from '../support/tls-front.ts'

interface Scene {
  /** PEM file of the server's certificate, for which nobody vouches but itself. */
  readonly certificate: string
  open(settings: Partial<S3StoreOptions>): S3Store
}

function tlsTest(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>): void {
  testUnless(test.serial, whyNoS3())(title, async (t) => {
    const [name = ''] = availableS3Servers()
    await using server = await startS3Server(name)
    await using front = await startTlsFront(server.endpoint)
    const { accessKeyId, secretAccessKey, region } = server
    const bucket = await server.createBucket()
    const open = (settings: Partial<S3StoreOptions>): S3Store =>
      new S3Store({
        ...s3Defaults,
        bucket,
        prefix: '',
        endpoint: front.endpoint,
        region,
        addressing: 'path',
        credentials: { accessKeyId, secretAccessKey },
        ...settings,
      })
    await body(t, { certificate: front.certificate, open })
  })
}

// The first test: Node reads the system's list once.
tlsTest('the authorities of the system are trusted', async (t, { certificate, open }) => {
  process.env.SSL_CERT_FILE = certificate
  using store = open({})
  await store.put(objectKey('key'), Buffer.from('over TLS'))
  t.is((await store.get(objectKey('key')))?.bytes.toString(), 'over TLS')
})

tlsTest(
  'a certificate that nobody vouches for is refused, unless its authority is given or no check is wanted',
  async (t, { certificate, open }) => {
    using distrusting = open({ verifyTls: true })
    const error = await t.throwsAsync(distrusting.get(objectKey('key')), { code: 'tls' })
    t.regex(error.message, /^[^\n]*certificate is not trusted[^\n]*$/)
    await t.throwsAsync(distrusting.head(objectKey('key')), { code: 'tls' })
    for (const settings of [{ verifyTls: true, caFile: certificate }, { verifyTls: false }]) {
      using store = open(settings)
      await store.put(objectKey('key'), Buffer.from('over TLS'))
      t.is((await store.get(objectKey('key')))?.bytes.toString(), 'over TLS')
      t.is((await store.get(objectKey('key'), { range: { offset: 5, length: 3 } }))?.bytes.toString(), 'TLS')
      const large = randomBytes(20 << 20)
      await store.put(objectKey('large'), large)
      const into = Buffer.alloc(large.length)
      const bodies = [store.get(objectKey('large')), store.get(objectKey('large'), { into })]
      for (const body of await Promise.all(bodies)) t.true(body?.bytes.equals(large))
    }
  },
)

import { createHash } from 'node:crypto'
import test from 'ava'
import { objectKey } from '../../src/store/object-store.ts'
import { type S3StoreOptions, s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { objectStoreSuite } from '../conformance/object-store.ts'
import { realS3Test, s3ServersInTitles } from '../support/real-s3-test.ts'
import { type S3Server, startS3Server, whyNoS3 } from '../support/s3-server.ts'

const key = objectKey('key')

const servers = new Map<string, Promise<S3Server>>()

test.after.always(async () => {
  for (const server of servers.values()) await (await server)[Symbol.asyncDispose]()
})

function started(name: string): Promise<S3Server> {
  const server = servers.get(name) ?? startS3Server(name)
  servers.set(name, server)
  return server
}

async function open(name: string, prefix: string, elsewhere: Partial<S3StoreOptions> = {}) {
  const { endpoint, region, accessKeyId, secretAccessKey, createBucket } = await started(name)
  const store = new S3Store({
    ...s3Defaults,
    bucket: await createBucket(),
    prefix,
    endpoint,
    region,
    addressing: 'path',
    credentials: { accessKeyId, secretAccessKey },
    ...elsewhere,
  })
  return { store, [Symbol.asyncDispose]: async () => store[Symbol.dispose]() }
}

for (const name of s3ServersInTitles())
  objectStoreSuite(test, { name, open: () => open(name, 'backups/of us/'), reason: whyNoS3() })

realS3Test(
  test.serial,
  'a body that is not what its SHA-256 says is refused, and not stored',
  async (t, name) => {
    await using opened = await open(name, 'backups/')
    const { store } = opened
    const sha256 = createHash('sha256').update('content').digest()
    await store.put(key, Buffer.from('content'), { sha256 })
    await t.throwsAsync(store.put(key, Buffer.from('damaged'), { sha256 }))
    t.is((await store.get(key))?.bytes.toString(), 'content')
  },
)

realS3Test(
  test.serial,
  'a part over a line that others can change is signed with its SHA-256, and refused if it is another one',
  async (t, name) => {
    const { host, hostname, port } = new URL((await started(name)).endpoint)
    const named = `http://${host.replace(hostname, 's3.test')}`
    const connectTo = { host: hostname, port: Number(port) }
    await using opened = await open(name, 'backups/', { endpoint: named, connectTo })
    const { parts } = opened.store
    const upload = await parts.begin(key)
    const sha256 = async (): Promise<Buffer> => createHash('sha256').update('content').digest()
    await parts.put(key, upload, { number: 1, offset: 0, bytes: Buffer.from('content'), sha256 })
    const damaged = { number: 1, offset: 0, bytes: Buffer.from('damaged'), sha256 }
    await t.throwsAsync(parts.put(key, upload, damaged))
    await parts.abandon(key, upload)
  },
)

realS3Test(test.serial, 'of a part to this very machine no hash is taken', async (t, name) => {
  await using opened = await open(name, 'backups/')
  const { store } = opened
  const upload = await store.parts.begin(key)
  const sha256 = (): never => t.fail() as never
  const etag = await store.parts.put(key, upload, {
    number: 1,
    offset: 0,
    bytes: Buffer.from('content'),
    sha256,
  })
  await store.parts.complete(key, upload, [etag], { size: 7 })
  t.is((await store.get(key))?.bytes.toString(), 'content')
})

import { createHash } from 'node:crypto'
import test from 'ava'
import { objectKey } from '../../src/store/object-store.ts'
import { s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { objectStoreSuite } from '../conformance/object-store.ts'
import { realS3Test, s3ServersInTitles } from '../support/real-s3-test.ts'
import { type S3Server, startS3Server, whyNoS3 } from '../support/s3-server.ts'

const key = objectKey('key')

const servers = new Map<string, Promise<S3Server>>()

test.after.always(async () => {
  for (const server of servers.values()) await (await server)[Symbol.asyncDispose]()
})

async function open(name: string, prefix: string) {
  const started = servers.get(name) ?? startS3Server(name)
  servers.set(name, started)
  const { endpoint, region, accessKeyId, secretAccessKey, createBucket } = await started
  const store = new S3Store({
    ...s3Defaults,
    bucket: await createBucket(),
    prefix,
    endpoint,
    region,
    addressing: 'path',
    credentials: { accessKeyId, secretAccessKey },
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
    const upload = await store.parts.begin(key)
    const part = { number: 1, offset: 0, bytes: Buffer.from('damaged'), sha256 }
    await t.throwsAsync(store.parts.put(key, upload, part))
    await store.parts.abandon(key, upload)
  },
)

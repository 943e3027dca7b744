import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import test from 'ava'
import { objectKey } from '../../src/store/object-store.ts'
import { s3Defaults } from '../../src/store/s3-options.ts'
import { hostOf, routeOf } from '../../src/store/s3-route.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { temporaryFolder } from '../support/mounted.ts'

const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' }

/** What the machine's own settings say is not what is tested. */
for (const name of ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_PROFILE']) delete process.env[name]

test.serial('requests go where the SDK would send them', async (t) => {
  await using folder = await temporaryFolder()
  process.env.AWS_CONFIG_FILE = join(folder.path, 'none')
  const routes: readonly [string, S3ClientConfig, string, string][] = [
    [
      'bucket',
      { region: 'eu-central-1' },
      'https://bucket.s3.eu-central-1.amazonaws.com/',
      's3.eu-central-1.amazonaws.com',
    ],
    [
      'bucket',
      { region: 'cn-north-1' },
      'https://bucket.s3.cn-north-1.amazonaws.com.cn/',
      's3.cn-north-1.amazonaws.com.cn',
    ],
    [
      'my.bucket',
      { region: 'us-east-1' },
      'https://s3.us-east-1.amazonaws.com/my.bucket/',
      's3.us-east-1.amazonaws.com',
    ],
    [
      'bucket',
      { region: 'r', endpoint: 'http://[::1]:90/base/', forcePathStyle: true },
      'http://[::1]:90/base/bucket/',
      '[::1]:90',
    ],
    [
      's3s',
      { region: 'r', endpoint: 'https://s3s.example.com', forcePathStyle: true },
      'https://s3s.example.com/s3s/',
      's3s.example.com',
    ],
    [
      'bucket',
      { region: 'r', endpoint: 'https://s3.example.com' },
      'https://bucket.s3.example.com/',
      's3.example.com',
    ],
  ]
  for (const [bucket, config, expected, server] of routes) {
    const client = new S3Client({ ...config, credentials })
    const route = await routeOf(client, bucket)
    t.is(`http${route.isTls ? 's' : ''}://${hostOf(route)}${route.basePath}`, expected)
    t.is(route.server, server)
    client.destroy()
  }
})

test.serial('a server named in the profile gets all requests, and is named in messages', async (t) => {
  await using folder = await temporaryFolder()
  const asked: string[] = []
  const server = createServer(({ method, url }, response) => {
    asked.push(`${method} ${url}`)
    response.writeHead(403).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  process.env.AWS_CONFIG_FILE = join(folder.path, 'config')
  await writeFile(process.env.AWS_CONFIG_FILE, `[default]\nendpoint_url = http://127.0.0.1:${port}\n`)
  try {
    using store = new S3Store({
      ...s3Defaults,
      bucket: 'bucket',
      prefix: '',
      region: 'us-east-1',
      addressing: 'path',
      credentials,
    })
    await t.throwsAsync(store.get(objectKey('lean')), { code: 'access-denied' })
    await t.throwsAsync(store.head(objectKey('ordinary')), { code: 'access-denied' })
    // What the lean way does not understand is asked again.
    t.deepEqual(asked, ['GET /bucket/lean', 'GET /bucket/lean?x-id=GetObject', 'HEAD /bucket/ordinary'])
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    const gone = await t.throwsAsync(store.head(objectKey('ordinary')), { code: 'unavailable' })
    t.regex(gone.message, new RegExp(`127\\.0\\.0\\.1:${port} \\(connection refused\\)`))
  } finally {
    server.close()
  }
})

import { createServer } from 'node:http'
import test from 'ava'
import { objectKey } from '../../src/store/object-store.ts'
import { s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { createMetrics } from '../../src/store/with-metrics.ts'
import { defaultRetryPolicy } from '../../src/store/with-retry.ts'

interface PartServer extends AsyncDisposable {
  readonly endpoint: string
  /** Numbers of the parts, in the order they were sent. */
  readonly parts: readonly number[]
}

/** A server that begins uploads, and refuses all their parts with this code. */
async function partServer(status: number, code: string): Promise<PartServer> {
  const parts: number[] = []
  const server = createServer((request, response) => {
    const { method, url = '' } = request
    request.resume().on('end', () => {
      const part = Number(/partNumber=(\d+)/.exec(url)?.[1])
      if (method === 'PUT') {
        parts.push(part)
        response.writeHead(status).end(`<Error><Code>${code}</Code></Error>`)
      } else if (method === 'POST')
        response.end('<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>')
      else response.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    endpoint: `http://127.0.0.1:${port}`,
    parts,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const large = Buffer.alloc((16 << 20) + 1)

async function put({ endpoint }: PartServer, httpRetries: number, metrics = createMetrics()): Promise<void> {
  using store = new S3Store({
    ...s3Defaults,
    bucket: 'bucket',
    prefix: '',
    endpoint,
    region: 'us-east-1',
    addressing: 'path',
    credentials: { accessKeyId: 'some', secretAccessKey: 'thing' },
    partRetry: { policy: { ...defaultRetryPolicy, retries: httpRetries }, metrics },
  })
  await store.put(objectKey('large'), large)
}

test('parts are sent again as often as the destination says, and counted', async (t) => {
  await using server = await partServer(503, 'SlowDown')
  await t.throwsAsync(put(server, 0), { code: 'unavailable' })
  t.deepEqual(server.parts.toSorted(), [...new Set(server.parts)].toSorted(), 'none of them twice')
  const before = server.parts.length
  const metrics = createMetrics()
  await t.throwsAsync(put(server, 1, metrics), { code: 'unavailable' })
  t.true(server.parts.length > before + 1)
  t.true(metrics.retries >= 1)
})

test('parts of an upload that the server has forgotten are not sent again', async (t) => {
  await using server = await partServer(404, 'NoSuchUpload')
  await t.throwsAsync(put(server, 3), { code: 'unavailable' })
  t.deepEqual(server.parts.toSorted(), [...new Set(server.parts)].toSorted(), 'none of them twice')
})

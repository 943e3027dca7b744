import { open } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { Semaphore } from '../../src/base/semaphore.ts'
import { objectKey } from '../../src/store/object-store.ts'
import { s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { type UploadWay, upload } from '../../src/store/s3-upload.ts'
import { createMetrics } from '../../src/store/with-metrics.ts'
import { defaultRetryPolicy } from '../../src/store/with-retry.ts'
import { temporaryFolder } from '../support/mounted.ts'

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

/** Keeps each body that is sent for some milliseconds, and counts the bytes it has. */
function slowRequests(): {
  requests: UploadWay['requests']
  seen: { now: number; most: number; all: number }
} {
  const seen = { now: 0, most: 0, all: 0 }
  const send = async ({ input }: { input: { Body?: Buffer } }): Promise<object> => {
    const length = input.Body?.length ?? 0
    seen.now += length
    seen.all += length
    seen.most = Math.max(seen.most, seen.now)
    await setTimeout(length > 0 ? 20 : 0)
    seen.now -= length
    return { UploadId: '1', ETag: 'e' }
  }
  return {
    requests: { send: send as UploadWay['requests']['send'], isSafeLine: async () => true },
    seen,
  }
}

const ordinary = { lean: undefined, partRetry: undefined, failed: (error: unknown) => error }

test('uploads together have no more bytes in memory than a store allows, and all come to an end', async (t) => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  const [large, medium] = [40 << 20, 10 << 20]
  await using file = await open(path, 'w')
  await file.truncate(large)
  const { requests, seen } = slowRequests()
  const limit = 50 << 20
  const memory = new Semaphore(limit)
  const way: UploadWay = { ...ordinary, requests, memory }
  const before = process.memoryUsage().arrayBuffers
  let mostBuffers = 0
  const watch = setInterval(() => {
    mostBuffers = Math.max(mostBuffers, process.memoryUsage().arrayBuffers - before)
  }, 1)
  const put = (length: number, signal?: AbortSignal): Promise<string> =>
    upload(way, { Bucket: 'b', Key: 'k' }, { path, ranges: [{ offset: 0, length }] }, { signal })
  const interrupted = AbortSignal.timeout(30)
  const results = await Promise.allSettled([
    ...Array.from({ length: 8 }, (_, n) => put(n % 2 === 0 ? large : medium)),
    ...Array.from({ length: 4 }, () => put(large, interrupted)),
  ])
  clearInterval(watch)
  t.true(results.slice(0, 8).every(({ status }) => status === 'fulfilled'))
  t.true(seen.all >= 4 * (large + medium))
  t.true(seen.most <= limit, `${seen.most} bytes were sent at a time`)
  t.log(`${mostBuffers >> 20} MiB of buffers, with those not collected yet`)
  // Nothing is held any more.
  using _all = await memory.acquire({ weight: limit, signal: AbortSignal.timeout(1000) })
})

test('a file that has become shorter gives back the room of the part that was begun', async (t) => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  await using file = await open(path, 'w')
  await file.truncate(20 << 20)
  const memory = new Semaphore(50 << 20)
  const way: UploadWay = { ...ordinary, requests: slowRequests().requests, memory }
  const body = { path, ranges: [{ offset: 0, length: 40 << 20 }] }
  await t.throwsAsync(upload(way, { Bucket: 'b', Key: 'k' }, body, {}), { code: 'invalid' })
  using _all = await memory.acquire({ weight: 50 << 20, signal: AbortSignal.timeout(1000) })
})

import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import test, { type ExecutionContext } from 'ava'
import { type ObjectStore, objectKey } from '../../src/store/object-store.ts'
import { type S3StoreOptions, s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { createMetrics, withMetrics } from '../../src/store/with-metrics.ts'
import { withRetry } from '../../src/store/with-retry.ts'
import { type FaultProxy, type SeenRequest, startFaultProxy } from '../support/fault-proxy.ts'
import { realS3Test } from '../support/real-s3-test.ts'
import { type S3Server, startS3Server } from '../support/s3-server.ts'

const hasty = { retries: 3, baseDelay: 1, largestDelay: 4 }
const key = objectKey('folder/key')
const content = randomBytes(300_000)

interface Scene {
  readonly proxy: FaultProxy
  readonly server: S3Server
  readonly bucket: string
  /** A store that reaches the server through the proxy, and holds `key`. */
  readonly store: S3Store
  open(changes: Partial<S3StoreOptions>): S3Store
}

const servers = new Map<string, Promise<S3Server>>()

test.after.always(async () => {
  for (const server of servers.values()) await (await server)[Symbol.asyncDispose]()
})

function faultTest(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>): void {
  realS3Test(test.serial, title, async (t, name) => {
    const started = servers.get(name) ?? startS3Server(name)
    servers.set(name, started)
    const server = await started
    const bucket = await server.createBucket()
    await using proxy = await startFaultProxy(server.endpoint)
    const open = (changes: Partial<S3StoreOptions>): S3Store =>
      new S3Store({
        ...s3Defaults,
        bucket,
        prefix: 'pre fix/',
        endpoint: proxy.endpoint,
        region: server.region,
        addressing: 'path',
        credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
        ...changes,
      })
    using store = open({})
    await store.put(key, content)
    proxy.reset()
    await body(t, { proxy, server, bucket, store, open })
  })
}

const isGet = ({ kind }: SeenRequest): boolean => kind === 'GET'
const isPart = ({ kind, url }: SeenRequest): boolean => kind === 'PUT' && /partNumber=/.test(url)

async function streamed(store: ObjectStore, signal?: AbortSignal): Promise<Buffer> {
  const stream = await store.getStream(key, { signal })
  return Buffer.concat(await Array.fromAsync(stream?.body ?? []))
}

for (const fault of [500, 503, 'reset', 'half'] as const)
  faultTest(`a get recovers from ${fault}, each try being one request`, async (t, { proxy, store }) => {
    const metrics = createMetrics()
    const retried = withRetry(withMetrics(store, metrics), hasty, metrics)
    proxy.inject({ fault, times: 2, match: isGet })
    t.true((await retried.get(key))?.bytes.equals(content))
    t.is(proxy.counts().GET, 3)
    t.is(metrics.get, 3)
    t.is(metrics.retries, 2)
    t.deepEqual(metrics.errors, { unavailable: 2 })
    proxy.inject({ fault, times: 1, match: isGet })
    t.true(
      (await retried.get(key, { range: { offset: 1000, length: 100_000 } }))?.bytes.equals(
        content.subarray(1000, 101_000),
      ),
    )
    proxy.inject({ fault, match: isGet })
    await t.throwsAsync(retried.get(key), { code: 'unavailable' })
  })

for (const fault of [500, 503, 'reset'] as const)
  faultTest(`all that can be repeated recovers from ${fault}`, async (t, { proxy, store }) => {
    const retried = withRetry(store, hasty)
    const twice = (): void => {
      proxy.reset()
      proxy.inject({ fault, times: 2 })
    }
    twice()
    t.is((await retried.head(key))?.size, content.length)
    twice()
    t.true((await streamed(retried)).equals(content))
    twice()
    t.deepEqual(
      (await Array.fromAsync(retried.list(''))).map(({ objects }) => objects.map((object) => object.key)),
      [[key]],
    )
    twice()
    await retried.put(key, Buffer.from('new'))
    t.is((await store.get(key))?.bytes.toString(), 'new')
    twice()
    await retried.delete([key])
    t.is(await store.get(key), undefined)
  })

faultTest('a stream that breaks off says so', async (t, { proxy, store }) => {
  proxy.inject({ fault: 'half', match: isGet })
  await t.throwsAsync(streamed(store), { code: 'unavailable' })
})

for (const fault of ['hang', 'stall'] as const)
  faultTest(
    `${fault}: every request ends, by a timeout or by its abort`,
    async (t, { proxy, store, open }) => {
      using impatient = open({ responseTimeout: 300, connectTimeout: 300 })
      proxy.inject({ fault, match: isGet })
      await t.throwsAsync(impatient.get(key), { code: 'timeout' })
      await t.throwsAsync(streamed(impatient), { code: 'timeout' })
      if (fault === 'hang') {
        proxy.inject({ fault })
        await t.throwsAsync(impatient.head(key), { code: 'timeout' })
        await t.throwsAsync(Array.fromAsync(impatient.list('')), { code: 'timeout' })
        await t.throwsAsync(impatient.put(key, content), { code: 'timeout' })
        await t.throwsAsync(impatient.delete([key]), { code: 'timeout' })
      }

      // The other store would wait for longer than a test may take.
      const reason = new Error('enough')
      const aborted = async (work: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
        const controller = new AbortController()
        proxy.reset()
        const match = (): boolean => {
          setImmediate(() => controller.abort(reason))
          return true
        }
        proxy.inject({ fault, match })
        await t.throwsAsync(work(controller.signal), { is: reason })
      }
      await aborted((signal) => store.get(key, { signal }))
      await aborted((signal) => withRetry(store).get(key, { signal }))
      await aborted((signal) => streamed(store, signal))
      if (fault === 'hang') {
        await aborted((signal) => store.head(key, { signal }))
        await aborted((signal) => Array.fromAsync(store.list('', { signal })))
        await aborted((signal) => store.put(key, content, { signal }))
        await aborted((signal) => store.delete([key], { signal }))
      }
      proxy.reset()
      t.true((await store.get(key))?.bytes.equals(content), 'the store is none the worse for it')
    },
  )

faultTest('connections that the server has closed meanwhile are no fault', async (t, { proxy, store }) => {
  await Promise.all(Array.from({ length: 8 }, () => store.get(key)))
  proxy.resetConnections()
  const bodies = await Promise.all(Array.from({ length: 8 }, () => store.get(key)))
  for (const body of bodies) t.true(body?.bytes.equals(content))
})

faultTest('a conditional put is tried once only', async (t, { proxy, store }) => {
  proxy.inject({ fault: 503 })
  const put = withRetry(store, hasty).put(objectKey('once'), content, { ifNoneMatch: '*' })
  await t.throwsAsync(put, { code: 'unavailable' })
  t.is(proxy.counts().PUT, 1)
})

faultTest('a listing that fails on the way goes on where it was', async (t, { proxy, store }) => {
  const keys = Array.from({ length: 2050 }, (_, i) => objectKey(`list/${String(i).padStart(5, '0')}`))
  for (let i = 0; i < keys.length; i += 50)
    await Promise.all(keys.slice(i, i + 50).map((each) => store.put(each, Buffer.from('x'))))
  for (const delimiter of [undefined, '/'] as const) {
    proxy.reset()
    let pages = 0
    proxy.inject({ fault: 503, times: 2, match: ({ kind }) => kind === 'LIST' && ++pages > 1 })
    const found = await Array.fromAsync(withRetry(store, hasty).list('list/', { delimiter }))
    t.deepEqual(
      found.flatMap(({ objects }) => objects.map((object) => object.key)),
      keys,
    )
    t.is(proxy.counts().LIST, 5)
  }
})

faultTest('a part that fails is sent again alone', async (t, { proxy, store }) => {
  const large = randomBytes(40 << 20)
  for (const fault of [500, 'reset'] as const) {
    proxy.reset()
    proxy.inject({ fault, times: 1, match: isPart })
    await store.put(objectKey('large'), large)
    t.is(proxy.requests.filter(isPart).length, 4)
    t.is(proxy.requests.filter(({ kind }) => kind === 'POST').length, 2)
    t.true((await store.get(objectKey('large')))?.bytes.equals(large))
  }
})

faultTest('a part that waits for its turn uses up no time to connect', async (t, { proxy, open }) => {
  using slow = open({ maxConnections: 1, connectTimeout: 200 })
  proxy.latency = 300
  await slow.put(objectKey('large'), randomBytes(40 << 20))
  await Promise.all([slow.head(key), slow.head(key), slow.put(objectKey('small'), content)])
  t.is(proxy.requests.filter(isPart).length, 3)
})

faultTest('an upload in parts that fails or is aborted leaves nothing', async (t, scene) => {
  const { proxy, store, server, bucket } = scene
  const large = randomBytes(40 << 20)
  const client = new S3Client({
    endpoint: server.endpoint,
    region: server.region,
    credentials: server,
    forcePathStyle: true,
  })
  const begun = async (): Promise<number> =>
    (await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads?.length ?? 0
  try {
    const isSecond = ({ url }: SeenRequest): boolean => /partNumber=2/.test(url)
    proxy.inject({ fault: 503, match: isSecond })
    await t.throwsAsync(store.put(objectKey('large'), large), { code: 'unavailable' })
    t.is(await begun(), 0)

    proxy.reset()
    const controller = new AbortController()
    const reason = new Error('enough')
    const match = (seen: SeenRequest): boolean => {
      if (isSecond(seen)) controller.abort(reason)
      return isPart(seen)
    }
    proxy.inject({ fault: 'hang', match })
    await t.throwsAsync(store.put(objectKey('large'), large, { signal: controller.signal }), { is: reason })
    // Whoever aborts does not wait for that for longer than a second.
    for (let looks = 0; looks < 100 && (await begun()) > 0; looks++) await delay(100)
    t.is(await begun(), 0)

    proxy.reset()
    await store.put(objectKey('large'), large)
    await t.throwsAsync(store.put(objectKey('large'), large, { ifNoneMatch: '*' }), { code: 'exists' })
    const ifMatch = '"00000000000000000000000000000000"'
    await t.throwsAsync(store.put(objectKey('large'), large, { ifMatch }), { code: 'changed' })
    t.is(await begun(), 0)
    t.is((await store.head(objectKey('large')))?.size, large.length)
  } finally {
    client.destroy()
  }
})

faultTest('what is wrong with the way to the store has its code, and says what to do', async (t, scene) => {
  const { open, server } = scene
  const attempts: readonly [Partial<S3StoreOptions>, string, RegExp][] = [
    [
      { credentials: { accessKeyId: 'unknown', secretAccessKey: 'hidden-one' } },
      'access-denied',
      /access key/,
    ],
    [
      { credentials: { accessKeyId: server.accessKeyId, secretAccessKey: 'hidden-one' } },
      'access-denied',
      /secret key/,
    ],
    [{ bucket: 'no-such-bucket-here' }, 'no-bucket', /no such bucket/],
    [{ endpoint: 'http://127.0.0.1:1' }, 'unavailable', /127\.0\.0\.1:1 \(connection refused\)/],
    [{ endpoint: 'http://no-such-host.invalid' }, 'unavailable', /no-such-host\.invalid/],
    [{ endpoint: server.endpoint.replace('http:', 'https:') }, 'tls', /http:\/\/ or https:\/\//],
  ]
  for (const [changes, code, message] of attempts) {
    using store = open(changes)
    const tried = [
      () => store.get(key),
      () => store.getStream(key),
      () => Array.fromAsync(store.list('')),
      () => store.put(key, Buffer.from('x')),
      () => store.delete([key]),
      () => store.head(key),
    ]
    for (const [i, attempt] of tried.entries()) {
      const error = await t.throwsAsync(attempt(), { code }, `${code}, attempt ${i}`)
      // A HEAD that is refused has no body to say why.
      const isHead = i === tried.length - 1
      if (!(isHead && code === 'access-denied')) t.regex(error.message, message)
      t.notRegex(error.message, /hidden-one|\n/)
      t.true(error.cause !== undefined)
    }
  }
})

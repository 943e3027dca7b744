import test, { type ExecutionContext } from 'ava'
import { objectKey } from '../../src/store/object-store.ts'
import { s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { type ForwardProxy, startForwardProxy } from '../support/forward-proxy.ts'
import { availableS3Servers, type S3Server, startS3Server, whyNoS3 } from '../support/s3-server.ts'
import { testUnless } from '../support/test-unless.ts'
import { startTlsFront } from '../support/tls-front.ts'

/** A proxy that the environment names stands between a store and its server. */

interface Scene {
  readonly server: S3Server
  readonly proxy: ForwardProxy
  readonly bucket: string
}

const variables = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy']

function proxyTest(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>): void {
  testUnless(test.serial, whyNoS3())(title, async (t) => {
    const [name = ''] = availableS3Servers()
    await using server = await startS3Server(name)
    await using proxy = await startForwardProxy()
    const bucket = await server.createBucket()
    const before = variables.map((variable) => [variable, process.env[variable]] as const)
    for (const variable of variables) delete process.env[variable]
    try {
      await body(t, { server, proxy, bucket })
    } finally {
      for (const [variable, value] of before)
        if (value === undefined) delete process.env[variable]
        else process.env[variable] = value
    }
  })
}

function storeOf(
  { server, bucket }: Scene,
  options: { readonly endpoint?: string; readonly caFile?: string; readonly guard?: () => void } = {},
): S3Store {
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const credentials = { accessKeyId, secretAccessKey }
  return new S3Store({
    ...s3Defaults,
    bucket,
    prefix: '',
    endpoint,
    region,
    addressing: 'path',
    credentials,
    ...options,
  })
}

const key = objectKey('folder/a key with ä')

async function putAndGet(t: ExecutionContext, store: S3Store): Promise<void> {
  await store.put(key, Buffer.from('content'))
  t.is((await store.get(key))?.bytes.toString(), 'content')
  const [page] = await Array.fromAsync(store.list(''))
  t.deepEqual(
    page?.objects.map((object) => String(object.key)),
    [key],
  )
}

proxyTest('plain requests go by way of it, with its password', async (t, scene) => {
  process.env.HTTP_PROXY = scene.proxy.url
  using store = storeOf(scene)
  await putAndGet(t, store)
  t.true(scene.proxy.requests.length >= 3)
  t.true(scene.proxy.requests.every((asked) => asked.includes(` ${scene.server.endpoint}/`)))
})

proxyTest('what is read through it comes with the time of the server, as all else does', async (t, scene) => {
  using direct = storeOf(scene)
  process.env.HTTP_PROXY = scene.proxy.url
  using proxied = storeOf(scene)
  await proxied.put(key, Buffer.from('content'))
  for (const store of [direct, proxied]) {
    const { answered = 0, modified } = (await store.get(key)) ?? { modified: 0 }
    // Servers keep the text of the date for up to a second: it may be of before the put.
    t.true(Math.abs(answered - modified) < 60_000, `${answered}, ${modified}`)
  }
})

proxyTest('TLS goes through it in a tunnel, and a guard is asked there, too', async (t, scene) => {
  await using front = await startTlsFront(scene.server.endpoint)
  process.env.HTTPS_PROXY = scene.proxy.url
  let isOpen = true
  const guard = (): void => {
    if (!isOpen) throw new Error('closed')
  }
  using store = storeOf(scene, { endpoint: front.endpoint, caFile: front.certificate, guard })
  await putAndGet(t, store)
  t.true(scene.proxy.requests.length > 0)
  t.true(scene.proxy.requests.every((asked) => asked === `CONNECT ${new URL(front.endpoint).host}`))
  isOpen = false
  await t.throwsAsync(store.put(key, Buffer.from('late')))
  isOpen = true
  t.is((await store.get(key))?.bytes.toString(), 'content')
})

proxyTest('NO_PROXY keeps a server from it', async (t, scene) => {
  process.env.HTTP_PROXY = scene.proxy.url
  process.env.NO_PROXY = 'example.com,127.0.0.1'
  using store = storeOf(scene)
  await putAndGet(t, store)
  t.deepEqual(scene.proxy.requests, [])
})

proxyTest(
  'one that refuses, is not there, or is no proxy is told of without its password',
  async (t, scene) => {
    const failure = async (proxy: string): Promise<string> => {
      process.env.HTTP_PROXY = proxy
      process.env.HTTPS_PROXY = proxy
      const error = await t.throwsAsync(async () => {
        using store = storeOf(scene, { endpoint: scene.server.endpoint })
        await store.get(key)
      })
      return String(error?.message)
    }
    const { url, password } = scene.proxy
    const refused = await failure(url.replace(password, 'wrong-password-8'))
    t.notRegex(refused, /password-8/)
    t.regex(refused, /the proxy lets nobody through/)
    t.notRegex(await failure('http://user:wrong-password-8@127.0.0.1:1'), /password-8/)
    const text = await failure('socks5://user:wrong-password-8@127.0.0.1:1')
    t.notRegex(text, /password-8/)
    t.regex(text, /HTTPS_PROXY/)
  },
)

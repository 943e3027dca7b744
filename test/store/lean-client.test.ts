import { hash } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { Semaphore } from '../../src/base/semaphore.ts'
import { StoreError } from '../../src/store/errors.ts'
import { LeanClient } from '../../src/store/lean-client.ts'
import { objectKey } from '../../src/store/object-store.ts'
import { s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'

/** Bytes of an answer, or pieces of it that are sent one by one. */
type Answer = string | readonly string[]

interface OddServer extends AsyncDisposable {
  readonly store: S3Store
  readonly port: number
  /** Heads of the requests, with the bodies that came along, and the number of connections they came over. */
  readonly requests: readonly string[]
  readonly connections: number
}

const credentials = { accessKeyId: 'key', secretAccessKey: 'secret', sessionToken: 'token' }

/** A server that answers each request with the next of these, whatever is asked: HTTP as real servers and proxies may speak it. */
async function oddServer(
  answers: readonly Answer[],
  { closes = false, responseTimeout = 5000, reads = 'all' as 'all' | 'head' } = {},
): Promise<OddServer> {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer({ noDelay: true }, (socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', async (head) => {
      const answer = answers[requests.length] ?? ''
      requests.push(head.toString('latin1'))
      if (reads === 'head') socket.pause()
      for (const piece of typeof answer === 'string' ? [answer] : answer) {
        socket.write(piece, 'latin1')
        await new Promise((resolve) => setImmediate(resolve))
      }
      if (closes) socket.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const store = new S3Store({
    ...s3Defaults,
    responseTimeout,
    bucket: 'bucket',
    prefix: '',
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    addressing: 'path',
    credentials,
  })
  return {
    store,
    port,
    requests,
    get connections() {
      return connections
    },
    async [Symbol.asyncDispose]() {
      store[Symbol.dispose]()
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function answer(body: string, headers = '', status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\nETag: "e"\r\n${headers}\r\n${body}`
}

const key = objectKey('key')

async function text(t: ExecutionContext, { store }: OddServer, expected: string): Promise<void> {
  const body = await store.get(key)
  t.is(body?.bytes.toString('latin1'), expected)
  t.is(body?.etag, '"e"')
}

test('an answer may come in any pieces, and the connection is kept', async (t) => {
  const whole = answer('some content')
  await using server = await oddServer([
    whole,
    [...whole],
    [whole.slice(0, -12), whole.slice(-12)],
    [whole.slice(0, -13), whole.slice(-13)],
    answer(''),
    answer('last'),
  ])
  for (let i = 0; i < 4; i++) await text(t, server, 'some content')
  await text(t, server, '')
  await text(t, server, 'last')
  t.is(server.connections, 1)
})

test('requests are signed with the session token, keys encoded', async (t) => {
  await using server = await oddServer([answer('x', 'Content-Range: bytes 0-0/1\r\n', '206 Partial Content')])
  await server.store.get(objectKey("a b/ü'(%)+?.txt"), { range: { offset: 0, length: 1 } })
  const [first = ''] = server.requests
  t.regex(first, /^GET \/bucket\/a%20b\/%C3%BC%27%28%25%29%2B%3F\.txt HTTP\/1\.1\r\n/)
  t.regex(first, /\r\nx-amz-security-token: token\r\n/)
  t.regex(
    first,
    /SignedHeaders=host;range;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}\r\n/,
  )
})

test('a connection that the server closes is not used again', async (t) => {
  await using polite = await oddServer([answer('one', 'Connection: Close\r\n'), answer('two')], {
    closes: true,
  })
  await text(t, polite, 'one')
  await text(t, polite, 'two')
  t.is(polite.connections, 2)
})

test('what the lean way does not understand is asked again in the ordinary one', async (t) => {
  const chunked = 'HTTP/1.1 200 OK\r\nETag: "e"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'
  const longHead = answer('content', `x-long: ${'x'.repeat(70_000)}\r\n`)
  for (const odd of [chunked, longHead, 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx']) {
    await using server = await oddServer([odd, answer('content')])
    await text(t, server, 'content')
    t.is(server.requests.length, 2)
  }
})

test('more bytes than were announced spoil neither this answer nor the next', async (t) => {
  await using server = await oddServer([`${answer('content')}surplus`, answer('content'), answer('next')])
  await text(t, server, 'content')
  await text(t, server, 'next')
})

test('bytes of another range than was asked for are refused', async (t) => {
  const range = { offset: 2, length: 3 }
  const partial = (contentRange: string, body: string): string =>
    answer(body, `Content-Range: ${contentRange}\r\n`, '206 Partial Content')
  const wrong = [
    answer('whole'),
    partial('bytes 0-2/10', 'abc'),
    partial('bytes 2-3/10', 'ab'),
    partial('bytes 2-4/*', 'abc'),
    partial('bytes 2-9/10', 'abcdefgh'),
    answer('abc', '', '206 Partial Content'),
  ]
  for (const odd of wrong) {
    await using server = await oddServer([odd, odd])
    await t.throwsAsync(server.store.get(key, { range }), { code: 'invalid' }, odd)
  }
  await using server = await oddServer([partial('bytes 2-4/10', 'cde'), partial('bytes 2-3/4', 'cd')])
  t.like(await server.store.get(key, { range }), { size: 10, bytes: Buffer.from('cde') })
  t.like(await server.store.get(key, { range }), { size: 4, bytes: Buffer.from('cd') })
})

test('memory is taken for no more than was asked for, whatever the server announces', async (t) => {
  const range = { offset: 0, length: 3 }
  for (const announced of [2 ** 40, Number.MAX_SAFE_INTEGER]) {
    const whole = `HTTP/1.1 200 OK\r\nContent-Length: ${announced}\r\n\r\nabc`
    const partial = `HTTP/1.1 206 Partial Content\r\nContent-Length: ${announced}\r\nContent-Range: bytes 0-2/3\r\n\r\nabc`
    await using server = await oddServer([whole, answer('content'), whole, whole, partial, partial])
    await text(t, server, 'content')
    await t.throwsAsync(server.store.get(key, { range }), { code: 'invalid' })
    await t.throwsAsync(server.store.get(key, { range }), { code: 'invalid' })
  }
})

test('a whole object that is very large is read as it comes', async (t) => {
  const large = answer('x'.repeat((64 << 20) + 1))
  await using server = await oddServer([large, large, large])
  t.is((await server.store.get(key))?.bytes.length, (64 << 20) + 1)
  t.is(server.requests.length, 2)
  const into = Buffer.alloc((64 << 20) + 1)
  t.is((await server.store.get(key, { into }))?.bytes.buffer, into.buffer)
  t.is(server.requests.length, 3)
})

test('memory that cannot be had is an error of the request', async (t) => {
  const range = { offset: 0, length: 2 ** 50 }
  const head = `HTTP/1.1 206 Partial Content\r\nContent-Length: ${range.length}\r\n`
  await using server = await oddServer([`${head}\r\nabc`])
  const error = await t.throwsAsync(server.store.get(key, { range }), { instanceOf: StoreError })
  t.regex(error.message, /memory|out of range/i)
})

test('a key that is not UTF-8 hides no other', async (t) => {
  const contents = ['a%FFb', 'c+d%C3%BC'].map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`)
  const prefixes = ['%FF/', 'e/'].map(
    (prefix) => `<CommonPrefixes><Prefix>${prefix}</Prefix></CommonPrefixes>`,
  )
  const listing = `<ListBucketResult><EncodingType>url</EncodingType>${contents.join('')}${prefixes.join('')}</ListBucketResult>`
  await using server = await oddServer([answer(listing, 'Content-Type: application/xml\r\n')])
  const [page] = await Array.fromAsync(server.store.list('', { delimiter: '/' }))
  t.deepEqual(
    page?.objects.map((object) => object.key),
    [objectKey('c dü')],
  )
  t.deepEqual(page?.prefixes, ['e/'])
})

test('what the server says of an error costs no second request', async (t) => {
  const failed = (status: string, code: string): string =>
    answer(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`, '', status)
  await using server = await oddServer([
    failed('404 Not Found', 'NoSuchKey'),
    failed('503 Service Unavailable', 'SlowDown'),
    failed('404 Not Found', 'NoSuchBucket'),
    failed('412 Precondition Failed', 'PreconditionFailed'),
    failed('416 Requested Range Not Satisfiable', 'InvalidRange'),
    failed('429 Too Many Requests', 'TooManyRequests'),
    answer('still here'),
  ])
  t.is(await server.store.get(key), undefined)
  for (const code of ['unavailable', 'no-bucket', 'changed', 'invalid', 'unavailable'])
    await t.throwsAsync(server.store.get(key), { code })
  await text(t, server, 'still here')
  t.is(server.requests.length, 7)
  t.is(server.connections, 1)
})

test('a range may come in chunks, whose head says by its Content-Range how long it is', async (t) => {
  const range = { offset: 2, length: 3 }
  const chunked = (...chunks: string[]): string =>
    [
      'HTTP/1.1 206 Partial Content\r\nETag: "e"\r\nContent-Range: bytes 2-4/10\r\nTransfer-Encoding: chunked\r\n\r\n',
      ...chunks.map((chunk) => `${chunk.length}\r\n${chunk}\r\n`),
      '0\r\n\r\n',
    ].join('')
  for (const [chunks, isRight] of [
    [['cd', 'e'], true],
    [['cd'], false],
    [['cd', 'ef'], false],
  ] as const) {
    await using server = await oddServer([chunked(...chunks), chunked(...chunks)])
    const got = server.store.get(key, { range })
    if (isRight) t.like(await got, { size: 10, bytes: Buffer.from('cde') })
    else await t.throwsAsync(got, { code: 'unavailable' })
  }
})

test('bytes go where the caller wants them if they fit, those of an error never', async (t) => {
  const refused = answer('<Error><Code>NoSuchKey</Code></Error>', '', '404 Not Found')
  await using server = await oddServer([answer('content'), answer('content'), refused])
  const into = Buffer.alloc(100)
  const body = await server.store.get(key, { into })
  t.is(body?.bytes.buffer, into.buffer)
  t.is(into.toString('latin1', 0, 7), 'content')
  const small = Buffer.alloc(3)
  t.is((await server.store.get(key, { into: small }))?.bytes.toString(), 'content')
  t.deepEqual(small, Buffer.alloc(3))
  const untouched = Buffer.alloc(100)
  t.is(await server.store.get(key, { into: untouched }), undefined)
  t.deepEqual(untouched, Buffer.alloc(100))
})

test('a closed store leaves no connection open, and what is under way fails', async (t) => {
  await using server = await oddServer([answer('content')])
  await text(t, server, 'content')
  const waiting = server.store.get(key)
  await new Promise((resolve) => setImmediate(resolve))
  server.store[Symbol.dispose]()
  await t.throwsAsync(waiting, { code: 'unavailable' })
})

const content = Buffer.from('what is stored')
const sha256 = hash('sha256', content, 'buffer')

test('a put is signed with the SHA-256 of its bytes, which go out behind the head', async (t) => {
  await using server = await oddServer([answer(''), answer('')])
  for (let i = 0; i < 2; i++)
    t.like(await server.store.put(key, content, { sha256 }), { etag: '"e"', size: 14 })
  const [first = ''] = server.requests
  t.regex(first, /^PUT \/bucket\/key HTTP\/1\.1\r\n/)
  t.true(first.includes(`\r\ncontent-length: 14\r\n`))
  t.true(first.includes(`\r\nx-amz-content-sha256: ${sha256.toString('hex')}\r\n`))
  t.regex(
    first,
    /SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token,/,
  )
  t.true(first.endsWith('\r\n\r\nwhat is stored'))
  t.is(server.connections, 1)
})

test('a put that is refused for the moment is an error, without a second request', async (t) => {
  const slow = answer('<Error><Code>SlowDown</Code></Error>', '', '503 Service Unavailable')
  await using server = await oddServer([slow])
  await t.throwsAsync(server.store.put(key, content, { sha256 }), { code: 'unavailable' })
  t.is(server.requests.length, 1)
})

test('what the lean way does not understand is put again in the ordinary one, and soon only there', async (t) => {
  const bare = 'HTTP/1.1 200 OK\r\nETag: "e"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
  await using server = await oddServer(Array.from({ length: 8 }, () => bare))
  for (let i = 0; i < 5; i++) t.is((await server.store.put(key, content, { sha256 })).etag, '"e"')
  t.is(server.requests.length, 3 + 5)
})

test('keys that are refused for a time, by puts under way together, do not end the lean way for good', async (t) => {
  const denied = answer('<Error><Code>ExpiredToken</Code></Error>', '', '403 Forbidden')
  const answers = [...Array(4).fill(denied), answer(''), answer(''), ...Array(4).fill(denied)]
  await using server = await oddServer(answers)
  const { port } = server
  let now = 0
  const lean = new LeanClient({
    region: 'us-east-1',
    places: new Semaphore(4),
    credentials: async () => credentials,
    server: async () => ({
      host: '127.0.0.1',
      port,
      hostHeader: 'host',
      basePath: '/bucket/',
      tls: undefined,
      connectTimeout: 5000,
      responseTimeout: 5000,
    }),
    now: () => now,
  })
  const put = (): Promise<unknown> =>
    lean.put('key', content, { sha256 }).then(
      ({ status }) => status,
      (error) => error.name,
    )
  const together = (): Promise<unknown[]> => Promise.all(Array.from({ length: 4 }, put))
  t.deepEqual(await together(), Array(4).fill('NotPlain'))
  now = 59_000
  t.is(await put(), 'NotPlain')
  t.is(server.requests.length, 4, 'none is sent twice for a while')
  now = 61_000
  t.deepEqual([await put(), await put()], [200, 200])
  t.deepEqual(await together(), Array(4).fill('NotPlain'))
  t.is(await put(), 'NotPlain')
  t.is(server.requests.length, 10)
  lean.close()
})

test('what a server leaves unread of a body is not taken for the next request', async (t) => {
  const large = Buffer.alloc(16 << 20)
  const refused = answer('<Error><Code>SlowDown</Code></Error>', '', '503 Service Unavailable')
  await using server = await oddServer([refused, answer('')], { reads: 'head' })
  const options = { sha256: hash('sha256', large, 'buffer') }
  await t.throwsAsync(server.store.put(key, large, options), { code: 'unavailable' })
  await server.store.put(key, content, { sha256 })
  t.is(server.connections, 2)
  t.regex(server.requests[1] ?? '', /^PUT /)
})

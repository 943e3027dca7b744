import { readFile } from 'node:fs/promises'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { objectKey } from '../../src/store/object-store.ts'
import { type S3StoreOptions, s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { makeCertificate } from './certificate.ts'
import { temporaryFolder } from './mounted.ts'

export interface RecordedRequest {
  readonly method: string
  /** The name that was asked for in TLS. */
  readonly servername: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface RecordingServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** PEM file. */
  readonly certificate: string
  /** The requests since the last call. */
  take(): RecordedRequest[]
}

/** Writes down what it is asked over TLS, under any of these names, and answers just enough of S3 for the client to go on. */
export async function startRecordingServer(names: readonly string[]): Promise<RecordingServer> {
  const folder = await temporaryFolder()
  const { key, certificate } = await makeCertificate(
    folder.path,
    names.map((name) => `DNS:${name}`),
  )
  let requests: RecordedRequest[] = []
  const server = createServer({ key: await readFile(key), cert: await readFile(certificate) })
  server.on('request', async (request, response) => {
    const recorded = await record(request)
    requests.push(recorded)
    const body = answerTo(recorded)
    response.setHeader('content-length', body.length).setHeader('etag', '"e"').end(body)
  })
  // Refused certificates are what is tested.
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    host: '127.0.0.1',
    port,
    certificate,
    take() {
      const taken = requests
      requests = []
      return taken
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

export const recordedKeys = { accessKeyId: 'key', secretAccessKey: 'secret' }

type Place = Pick<S3StoreOptions, 'bucket' | 'endpoint' | 'region' | 'addressing'>

/** What a store below the prefix `dir/` asks for: PUT, HEAD, GET in the lean way and in the SDK's, LIST and DELETE of its key `a b`. */
export async function askForAll(server: RecordingServer, place: Place): Promise<RecordedRequest[]> {
  using store = new S3Store({
    ...s3Defaults,
    ...place,
    prefix: 'dir/',
    credentials: recordedKeys,
    caFile: server.certificate,
    connectTo: server,
  })
  const key = objectKey('a b')
  await store.put(key, Buffer.from('content'))
  await store.head(key)
  await store.get(key)
  for await (const _ of (await store.getStream(key))?.body ?? []);
  for await (const _ of store.list(''));
  await store.delete([key])
  return server.take()
}

/** Methods and paths of what `askForAll` asks for, when the bucket is at `base`. */
export function linesOfAll(base: string): string[] {
  const key = `${base}dir/a%20b`
  return [`PUT ${key}`, `HEAD ${key}`, `GET ${key}`, `GET ${key}`, `GET ${base}`, `POST ${base}`]
}

async function record(request: IncomingMessage): Promise<RecordedRequest> {
  const [path = '', query] = (request.url ?? '').split('?')
  return {
    method: request.method ?? '',
    servername: String((request.socket as TLSSocket).servername),
    path,
    query: new URLSearchParams(query),
    headers: request.headers,
    body: Buffer.concat(await Array.fromAsync(request)),
  }
}

function answerTo({ query }: RecordedRequest): string {
  if (query.has('list-type')) return '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'
  return query.has('delete') ? '<DeleteResult></DeleteResult>' : ''
}

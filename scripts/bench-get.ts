/**
 * What a GET of a small object costs on each way there is: through the SDK, over node:http with a kept signing key, and as `S3Store.get` does it. Run it
 * before and after a change of `src/store/lean-*.ts`, or when the SDK is updated, to see whether the lean way is still worth its code:
 *
 *   node scripts/bench-get.ts [--server minio]
 *
 * Prints GETs a second and the CPU time of this process a GET, which is without the server's.
 */
import { randomBytes } from 'node:crypto'
import { Agent, get as httpGet } from 'node:http'
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/output.ts'
import { objectKey } from '../src/store/object-store.ts'
import { s3Defaults } from '../src/store/s3-options.ts'
import { S3Store } from '../src/store/s3-store.ts'
import { encodeKey, RequestSigner } from '../src/store/sign-request.ts'
import { startS3Server } from '../test/support/s3-server.ts'

const objects = 200
const objectBytes = 16 << 10
const connections = 64
/** Seconds for each way, and rounds over all of them: what the machine does beside comes to all alike. */
const duration = 2
const rounds = 3

const { values } = parseArgs({ options: { server: { type: 'string', default: 'versitygw' } } })

await using server = await startS3Server(values.server)
const bucket = await server.createBucket()
const { endpoint, region, accessKeyId, secretAccessKey } = server
const credentials = { accessKeyId, secretAccessKey }
using store = new S3Store({
  ...s3Defaults,
  bucket,
  prefix: '',
  endpoint,
  region,
  addressing: 'path',
  credentials,
  maxConnections: connections,
})
const keys = Array.from({ length: objects }, (_, i) => objectKey(`files/${String(i).padStart(24, '0')}`))
for (const key of keys) await store.put(key, randomBytes(objectBytes))

const agent = new Agent({ keepAlive: true, maxSockets: connections })
const signer = new RequestSigner(region)
const url = new URL(endpoint)

function overHttp(key: string): Promise<number> {
  const path = `/${bucket}/${encodeKey(key)}`
  const headers = signer.sign(credentials, { method: 'GET', host: url.host, path, headers: {} })
  return new Promise((resolve, reject) => {
    httpGet({ host: url.hostname, port: url.port, path, headers, agent }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => resolve(Buffer.concat(pieces).length))
      response.on('error', reject)
    }).on('error', reject)
  })
}

const ways: Readonly<Record<string, (key: (typeof keys)[number]) => Promise<number>>> = {
  SDK: async (key) => {
    const stream = await store.getStream(key)
    return Buffer.concat(await Array.fromAsync(stream?.body ?? [])).length
  },
  'node:http, kept signing key': overHttp,
  'S3Store.get': async (key) => (await store.get(key))?.bytes.length ?? 0,
}

async function measure(get: (key: (typeof keys)[number]) => Promise<number>) {
  const started = performance.now()
  const cpu = process.cpuUsage()
  let next = 0
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (performance.now() - started < duration * 1000) {
        const length = await get(keys[next++ % objects] as (typeof keys)[number])
        if (length !== objectBytes) throw new Error(`${length} bytes came`)
      }
    }),
  )
  const { user, system } = process.cpuUsage(cpu)
  return { rate: (next / (performance.now() - started)) * 1000, cpu: (user + system) / 1000 / next }
}

const results = new Map<string, { rate: number; cpu: number }[]>()
for (const get of Object.values(ways)) await measure(get)
for (let round = 0; round < rounds; round++)
  for (const [name, get] of Object.entries(ways))
    results.set(name, [...(results.get(name) ?? []), await measure(get)])
agent.destroy()

const median = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0
console.log(`${objectBytes / 1024} KiB objects, ${connections} at a time, ${values.server}`)
console.log(
  formatTable(
    [{ title: 'way' }, { title: 'GET/s', align: 'right' }, { title: 'CPU ms a GET', align: 'right' }],
    [...results].map(([name, runs]) => [
      name,
      median(runs.map(({ rate }) => rate)).toFixed(0),
      median(runs.map(({ cpu }) => cpu)).toFixed(2),
    ]),
  ),
)

/**
 * What an S3 server gives to a plain parallel program: the yardstick of `npm run bench`. Reads objects, or one object in ranges, over kept
 * connections, and throws the bytes away. Requests are signed before the clock starts.
 *
 *   node scripts/plain-reader.ts ENDPOINT BUCKET objects CONNECTIONS < keys      (one key a line)
 *   node scripts/plain-reader.ts ENDPOINT BUCKET ranges CONNECTIONS KEY SIZE RANGE
 *
 * Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Prints {"seconds", "requests", "bytes"}.
 */
import { createHash, createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, get } from 'node:http'

interface Request {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

const region = process.env.AWS_REGION ?? 'us-east-1'

/** AWS Signature Version 4 for a GET without a body. */
function sign(endpoint: URL, bucket: string, key: string, range?: string): Request {
  const path = `/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const day = time.slice(0, 8)
  const headers: Record<string, string> = {
    host: endpoint.host,
    ...(range && { range }),
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    'x-amz-date': time,
  }
  const names = Object.keys(headers).join(';')
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`)
  const canonical = `GET\n${path}\n\n${lines.join('')}\n${names}\nUNSIGNED-PAYLOAD`
  const scope = `${day}/${region}/s3/aws4_request`
  const digest = createHash('sha256').update(canonical).digest('hex')
  const hmac = (secret: string | Buffer, text: string): Buffer =>
    createHmac('sha256', secret).update(text).digest()
  const signingKey = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${process.env.AWS_SECRET_ACCESS_KEY}`,
  )
  const signature = hmac(signingKey as Buffer, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${digest}`).toString(
    'hex',
  )
  const authorization = `AWS4-HMAC-SHA256 Credential=${process.env.AWS_ACCESS_KEY_ID}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  return { path, headers: { ...headers, authorization } }
}

function read(endpoint: URL, agent: Agent, { path, headers }: Request): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: endpoint.hostname, port: endpoint.port, path, headers, agent }, (response) => {
      let bytes = 0
      if (response.statusCode !== 200 && response.statusCode !== 206)
        reject(new Error(`${path}: ${response.statusCode}`))
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      response.on('end', () => resolve(bytes))
      response.on('error', reject)
    }).on('error', reject)
  })
}

const [server = '', bucket = '', what, connections = '64', key = '', size = '0', range = '0'] =
  process.argv.slice(2)
const endpoint = new URL(server)
const requests: Request[] = []
if (what === 'objects')
  for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean))
    requests.push(sign(endpoint, bucket, line))
else
  for (let at = 0; at < Number(size); at += Number(range)) {
    const last = Math.min(at + Number(range), Number(size)) - 1
    requests.push(sign(endpoint, bucket, key, `bytes=${at}-${last}`))
  }

const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) })
const started = performance.now()
let bytes = 0
let next = 0
await Promise.all(
  Array.from({ length: Number(connections) }, async () => {
    for (let request = requests[next++]; request !== undefined; request = requests[next++])
      bytes = (await read(endpoint, agent, request)) + bytes
  }),
)
agent.destroy()
console.log(
  JSON.stringify({
    seconds: (performance.now() - started) / 1000,
    requests: requests.length,
    bytes,
  }),
)

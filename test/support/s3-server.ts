import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, openSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { type S3ServerName, s3Servers, serverBinary } from './s3-servers.ts'

export interface S3Server extends AsyncDisposable {
  readonly name: string
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** For a process that is to find the keys. */
  readonly env: Readonly<Record<string, string>>
  /** Where versitygw keeps objects as files; '' for a server that was not started here. */
  readonly dataDir: string
  /** Makes a bucket with a name of its own. */
  createBucket(): Promise<string>
  /** Deletes all that is in a bucket. */
  emptyBucket(bucket: string): Promise<void>
  /** Ends it by SIGKILL; a server that was not started here goes on. */
  kill(): Promise<void>
  /** Starts it again at the same address, with what it had kept; resolves when it answers. */
  restart(): Promise<void>
  /** Somebody who may do nothing but what `permit` allows; undefined where a server has no such user. */
  readonly guest?: S3Guest | undefined
}

export interface S3Guest {
  /** For a process that is to find the keys. */
  readonly env: Readonly<Record<string, string>>
  /** Allows these actions (`s3:GetObject`) on a bucket and what is in it, and no others. */
  permit(bucket: string, actions: readonly string[]): Promise<void>
}

/** Servers that tests can run against here: the one named by JBFS_TEST_S3_ENDPOINT alone, or those that are built. */
export function availableS3Servers(): readonly string[] {
  if (process.env.JBFS_TEST_S3_ENDPOINT !== undefined) return ['given']
  return Object.keys(s3Servers).filter((name) => existsSync(serverBinary(name)))
}

/** Why no test can run against a real server, or against this one; undefined when it can. */
export function whyNoS3(name?: string): string | undefined {
  const available = availableS3Servers()
  if (name === undefined ? available.length > 0 : available.includes(name)) return undefined
  if (process.env.JBFS_TEST_S3_ENDPOINT !== undefined) return 'JBFS_TEST_S3_ENDPOINT names another server'
  return `no ${name ?? 'S3 server'}: Go is not installed and JBFS_TEST_S3_ENDPOINT is not set`
}

const region = 'us-east-1'

/** Starts a server on loopback with its own keys and data; stopped, and its data removed, when disposed of. */
export async function startS3Server(name: string): Promise<S3Server> {
  if (name === 'given') return givenServer()
  const folder = await mkdtemp(join(tmpdir(), 'jbfs-s3-'))
  const dataDir = join(folder, 'data')
  const keys = {
    accessKeyId: `test${randomBytes(6).toString('hex')}`,
    secretAccessKey: randomBytes(20).toString('hex'),
  }
  await mkdir(dataDir)
  await mkdir(join(folder, 'versions'))
  const guestKeys = name === 'versitygw' ? await addGuest(folder) : undefined
  const port = await freePort()
  let child = startProcess(name as S3ServerName, port, folder, keys)
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null
  const kill = async (): Promise<void> => {
    const closed = new Promise((resolve) => child.on('close', resolve))
    if (!isRunning()) return
    child.kill('SIGKILL')
    await closed
  }
  const stop = async (): Promise<void> => {
    await kill()
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  const endpoint = `http://127.0.0.1:${port}`
  const restart = async (): Promise<void> => {
    if (!isRunning()) child = startProcess(name as S3ServerName, port, folder, keys)
    await answering(endpoint, child)
  }
  try {
    await answering(endpoint, child)
  } catch (error) {
    const said = await readFile(join(folder, 'log'), 'utf8')
    await stop()
    throw new Error(`${name} did not start: ${said}`, { cause: error })
  }
  const server = serverOf(name, endpoint, region, keys)
  const guest = guestKeys && guestOf(server, guestKeys)
  return { ...server, dataDir, guest, kill, restart, [Symbol.asyncDispose]: stop }
}

interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** In the file in which versitygw keeps its users. */
async function addGuest(folder: string): Promise<Keys> {
  const keys = {
    accessKeyId: `guest${randomBytes(6).toString('hex')}`,
    secretAccessKey: randomBytes(20).toString('hex'),
  }
  const account = { access: keys.accessKeyId, secret: keys.secretAccessKey, role: 'user' }
  await mkdir(join(folder, 'users'))
  const users = JSON.stringify({ accessAccounts: { [account.access]: account } })
  await writeFile(join(folder, 'users/users.json'), users, { mode: 0o600 })
  return keys
}

function guestOf(server: Parameters<typeof clientOf>[0], { accessKeyId, secretAccessKey }: Keys): S3Guest {
  return {
    env: {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: server.region,
    },
    async permit(bucket, actions) {
      const statement = {
        Effect: 'Allow',
        Principal: { AWS: [accessKeyId] },
        Action: actions,
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
      }
      const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
      const client = clientOf(server)
      try {
        await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }))
      } finally {
        client.destroy()
      }
    },
  }
}

function startProcess(
  name: S3ServerName,
  port: number,
  folder: string,
  keys: { accessKeyId: string; secretAccessKey: string },
): ChildProcess {
  const address = `127.0.0.1:${port}`
  const data = join(folder, 'data')
  // Keys by the environment: other users see a command line.
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    ROOT_ACCESS_KEY: keys.accessKeyId,
    ROOT_SECRET_KEY: keys.secretAccessKey,
    MINIO_ROOT_USER: keys.accessKeyId,
    MINIO_ROOT_PASSWORD: keys.secretAccessKey,
    MINIO_UPDATE: 'off',
    MINIO_BROWSER: 'off',
  }
  const args =
    name === 'versitygw'
      ? // Closes the connection after every answer unless it is asked not to, which no other server does.
        [
          '--port',
          address,
          '--keep-alive',
          '--quiet',
          '--iam-dir',
          join(folder, 'users'),
          'posix',
          '--versioning-dir',
          join(folder, 'versions'),
          data,
        ]
      : ['server', '--address', address, '--quiet', data]
  // setpriv(1) has the kernel end the server with us, however we end.
  const program = ['--pdeathsig', 'KILL', serverBinary(name), ...args]
  const log = openSync(join(folder, 'log'), 'w')
  const child = spawn('setpriv', program, { stdio: ['ignore', log, log], env })
  closeSync(log)
  return child
}

/** A server that is not ours keeps nothing of the tests. */
function givenServer(): S3Server {
  const { JBFS_TEST_S3_ENDPOINT: endpoint = '', JBFS_TEST_S3_REGION } = process.env
  const keys = {
    accessKeyId: process.env.JBFS_TEST_S3_ACCESS_KEY ?? '',
    secretAccessKey: process.env.JBFS_TEST_S3_SECRET_KEY ?? '',
  }
  const server = serverOf('given', endpoint, JBFS_TEST_S3_REGION ?? region, keys)
  const buckets: string[] = []
  return {
    ...server,
    dataDir: '',
    kill: async () => {},
    restart: async () => {},
    async createBucket() {
      const bucket = await server.createBucket()
      buckets.push(bucket)
      return bucket
    },
    async [Symbol.asyncDispose]() {
      const client = clientOf(server)
      for (const bucket of buckets) await removeBucket(client, bucket)
      client.destroy()
    },
  }
}

async function emptyBucket(client: S3Client, bucket: string): Promise<void> {
  for (;;) {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
    if (Contents.length === 0) return
    const Objects = Contents.map(({ Key }) => ({ Key }))
    await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }))
  }
}

async function removeBucket(client: S3Client, bucket: string): Promise<void> {
  await emptyBucket(client, bucket)
  await client.send(new DeleteBucketCommand({ Bucket: bucket }))
}

function clientOf(
  server: Pick<S3Server, 'endpoint' | 'region' | 'accessKeyId' | 'secretAccessKey'>,
): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  return new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  })
}

function serverOf(
  name: string,
  endpoint: string,
  region: string,
  keys: { accessKeyId: string; secretAccessKey: string },
): Omit<S3Server, 'dataDir' | 'kill' | 'restart' | typeof Symbol.asyncDispose> {
  const withClient = async (work: (client: S3Client) => Promise<unknown>): Promise<void> => {
    const client = clientOf({ endpoint, region, ...keys })
    try {
      await work(client)
    } finally {
      client.destroy()
    }
  }
  return {
    name,
    endpoint,
    region,
    ...keys,
    env: {
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
      AWS_REGION: region,
    },
    async createBucket() {
      const bucket = `jbfs-test-${randomBytes(8).toString('hex')}`
      await withClient((client) => client.send(new CreateBucketCommand({ Bucket: bucket })))
      return bucket
    },
    emptyBucket: (bucket) => withClient((client) => emptyBucket(client, bucket)),
  }
}

/** Any answer will do: a server that refuses an unsigned request is there. */
async function answering(endpoint: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const response = await fetch(endpoint).catch(() => undefined)
    await response?.body?.cancel()
    // MinIO answers 503 while it starts.
    if (response !== undefined && response.status < 500) return
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`nothing answers at ${endpoint}`)
    await delay(50)
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

/**
 * Copies files into a mount, until `jbfs umount` returns, beside plain parallel programs that put the same bytes, on a real S3 server with 30 ms to the first byte. Run it before and after a
 * change of the writing path, as root: `npm run bench:write`. Only ratios within one run mean anything. versitygw, unlike MinIO, copies all parts of a large object at its end.
 * All files, the server's too, are in memory where there is enough of it: the disk of a virtual machine may be held back for seconds by what it was given before, and with the server
 * on the same disk it is the staging folder's share that goes over what Linux keeps in memory. `--disk` measures that.
 *
 *   node scripts/bench-write.ts                                  10,000 small files, and 1 GiB
 *   node scripts/bench-write.ts --large 20G --staging 1G --rounds 1     alone, without a plain program: does it go through so little room?
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, open, readdir, rm, stat, statfs } from 'node:fs/promises'
import { freemem, tmpdir } from 'node:os'
import { join } from 'node:path'
import yargs from 'yargs'
import { formatByteSize, parseByteSize } from '../src/base/byte-size.ts'
import { jbfsProgram, mountDestination, whyNoMounts } from '../test/support/mounted.ts'
import { output } from '../test/support/run.ts'
import { type S3Server, startS3Server } from '../test/support/s3-server.ts'
import { peakOf, startProxy, timed, writeLarge, writeSmallFiles } from './measuring.ts'

const smallFiles = 10_000
const usualLargeBytes = 1024 ** 3
const memoryTouched = 6 * usualLargeBytes
const timeout = 3600_000

const {
  rounds,
  only,
  large: size,
  staging,
  server: serverName,
  disk,
} = yargs(process.argv.slice(2))
  .options({
    rounds: { type: 'number', default: 3, describe: 'of each, in turns with the plain program' },
    only: { choices: ['small', 'large'] as const, describe: 'one of the two' },
    large: {
      type: 'string',
      coerce: parseByteSize,
      describe: 'write one file of this size, and nothing else',
    },
    staging: { type: 'string', default: '10G', describe: 'as jbfs mount has it' },
    server: {
      choices: ['versitygw', 'minio'] as const,
      default: 'versitygw' as const,
      describe: 'what stores it',
    },
    disk: {
      type: 'boolean',
      default: false,
      describe: 'all files in the temporary folder, even if memory is enough',
    },
  })
  .strict()
  .parseSync()

interface Scene {
  readonly folder: string
  readonly server: S3Server
  readonly bucket: string
  readonly endpoint: string
  readonly env: Readonly<Record<string, string>>
}

interface Written {
  readonly seconds: number
  /** Bytes of resident memory. */
  readonly peak: number | undefined
}

/** What the one before has stored is gone, and what it has written is on the disk: the next would wait for it. */
async function startAfresh({ server, bucket, folder }: Scene): Promise<void> {
  await server.emptyBucket(bucket)
  await rm(stateOf(folder), { recursive: true, force: true })
  await output('sync', [], { timeout })
  if (isInMemory) await touchMemory(folder)
}

/**
 * The memory that a run takes has been in use before, whoever runs next: a page that the host has never given to a virtual machine, or has taken back, costs several times as much
 * (1 GiB 2 to 3 s instead of 0.6), so that otherwise the one that runs first pays for the other.
 */
async function touchMemory(folder: string): Promise<void> {
  const path = join(folder, 'touched')
  await writeLarge(path, memoryTouched)
  await rm(path)
}

function stateOf(folder: string): string {
  return join(folder, 'state')
}

/** From the first byte into an empty destination until the unmount has returned. */
async function throughMount(
  { folder, bucket, endpoint, env }: Scene,
  name: string,
  copy: (snapshot: string) => Promise<unknown>,
): Promise<Written> {
  const state = stateOf(folder)
  const args = ['--endpoint', endpoint, '--read-write', '--state-dir', state, '--staging', staging]
  await using mount = await mountDestination(folder, `s3://${bucket}/${name}`, { args, env })
  const snapshot = join(mount.path, 'account/snap.1')
  let peak: number | undefined
  const seconds = await timed(async () => {
    await mkdir(snapshot, { recursive: true })
    await copy(snapshot)
    peak = await peakOf(mount.daemon.pid)
    await output(process.execPath, [jbfsProgram, 'umount', mount.path], { env, timeout })
  })
  return { seconds, peak }
}

async function plain({ bucket, endpoint, env }: Scene, ...args: string[]): Promise<number> {
  const script = join(import.meta.dirname, 'plain-writer.ts')
  const printed = await output(process.execPath, [script, endpoint, bucket, ...args], { env, timeout })
  return (JSON.parse(printed) as { seconds: number }).seconds
}

/** Each in turns with its yardstick, as a machine has its slow minutes, and from the same start. */
async function compare(
  scene: Scene,
  title: string,
  unit: (seconds: number) => string,
  yardstick: () => Promise<number>,
  ours: (round: number) => Promise<Written>,
): Promise<void> {
  const measure = async (): Promise<number> => {
    await startAfresh(scene)
    return await yardstick()
  }
  let before = await measure()
  for (let round = 1; round <= rounds; round++) {
    await startAfresh(scene)
    const { seconds, peak = 0 } = await ours(round)
    const after = await measure()
    const ratio = (before + after) / 2 / seconds
    console.log(
      `${title}: ${unit(seconds)}, plain ${unit(before)} and ${unit(after)}: ${ratio.toFixed(2)}; peak memory ${formatByteSize(peak)}`,
    )
    before = after
  }
}

const copy = (source: string) => (snapshot: string) => output('cp', ['-r', source, snapshot], { timeout })

async function compareSmall(scene: Scene): Promise<void> {
  const small = join(scene.folder, 'small')
  await writeSmallFiles(small, smallFiles)
  await compare(
    scene,
    'small files',
    (seconds) => `${(smallFiles / seconds).toFixed(0)}/s`,
    () => plain(scene, 'files', '64', small),
    (round) => throughMount(scene, `small-${round}`, copy(small)),
  )
}

async function compareLarge(scene: Scene): Promise<void> {
  const file = join(scene.folder, 'large')
  await writeLarge(file, usualLargeBytes)
  await compare(
    scene,
    formatByteSize(usualLargeBytes),
    (seconds) => `${(usualLargeBytes / 1e6 / seconds).toFixed(0)} MB/s`,
    () => plain(scene, 'parts', '8', file),
    (round) => throughMount(scene, `large-${round}`, copy(file)),
  )
}

/** A file that is nowhere but in the mount, and what its SHA-256 must be. */
async function writeGenerated(path: string, size: number): Promise<string> {
  await using file = await open(path, 'w')
  const hash = createHash('sha256')
  const piece = randomBytes(1 << 20)
  for (let written = 0; written < size; written += piece.length) {
    piece.writeBigUInt64LE(BigInt(written))
    const bytes = piece.subarray(0, size - written)
    hash.update(bytes)
    await file.write(bytes)
  }
  return hash.digest('hex')
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const stats = await Promise.all(
    entries.map(({ parentPath, name }) => stat(join(parentPath, name)).catch(() => undefined)),
  )
  return stats.reduce((sum, found) => sum + (found?.blocks ?? 0) * 512, 0)
}

async function writeVeryLarge(scene: Scene, server: S3Server, size: number): Promise<void> {
  const { folder, bucket, env } = scene
  const direct = { ...scene, endpoint: server.endpoint }
  let most = 0
  let sha256 = ''
  let written = 0
  const watch = setInterval(async () => {
    most = Math.max(most, await folderBytes(stateOf(folder)))
  }, 2000)
  const { seconds, peak = 0 } = await throughMount(direct, 'very-large', async (snapshot) => {
    written = await timed(async () => {
      sha256 = await writeGenerated(join(snapshot, 'large'), size)
    })
    console.log(`${formatByteSize(size)} written in ${written.toFixed(0)} s`)
  }).finally(() => clearInterval(watch))
  console.log(
    `unmounted after ${seconds.toFixed(0)} s; state folder at most ${formatByteSize(most)}, peak memory ${formatByteSize(peak)}`,
  )
  await using mount = await mountDestination(folder, `s3://${bucket}/very-large`, {
    args: ['--endpoint', server.endpoint],
    env,
  })
  const path = join(mount.path, 'account/snap.1/large')
  const stored = await output('getfattr', ['--only-values', '-n', 'user.jbfs.sha256', path])
  const isSame = (await stat(path)).size === size && stored.trim() === sha256
  console.log(isSame ? 'stored whole, with the SHA-256 of what was written' : `NOT THE SAME: ${stored}`)
  if (!isSame) process.exitCode = 1
}

/** The file, its parts, the object, what is staged of it, and the kernel's pages of the mount; and the same again for what is freed late. */
const memoryNeeded = 10 * usualLargeBytes

async function hasMemory(): Promise<boolean> {
  const { bavail, bsize } = await statfs('/dev/shm').catch(() => ({ bavail: 0, bsize: 0 }))
  return Math.min(freemem(), bavail * bsize) > memoryNeeded
}

const reason = whyNoMounts()
if (reason !== undefined) throw new Error(`the benchmark mounts: ${reason}`)
const isInMemory = !disk && size === undefined && (await hasMemory())
// The server's folder is a temporary one, too.
if (isInMemory) process.env.TMPDIR = '/dev/shm'
console.log(isInMemory ? 'all files are in memory' : `all files are in ${tmpdir()}`)
const folder = await mkdtemp(join(tmpdir(), 'jbfs-bench-'))
try {
  await using server = await startS3Server(serverName)
  const bucket = await server.createBucket()
  await using proxy = await startProxy(server.endpoint)
  const scene = { folder, server, bucket, endpoint: proxy.endpoint, env: { ...server.env, TMPDIR: folder } }
  if (size !== undefined) await writeVeryLarge(scene, server, size)
  else {
    if (only !== 'large') await compareSmall(scene)
    if (only !== 'small') await compareLarge(scene)
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}

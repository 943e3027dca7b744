/**
 * jbfs beside a plain parallel program, and beside `rclone mount` and `s3fs` where they are installed, on a real S3 server with 30 ms to the first
 * byte. Run it before and after a change of the reading path, as root: `npm run bench`. Only ratios within one run mean anything.
 */
import { spawn, spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { formatByteSize } from '../src/base/byte-size.ts'
import { mountAt } from '../src/base/mountinfo.ts'
import { formatTable } from '../src/cli/output.ts'
import { mountDestination, whyNoMounts } from '../test/support/mounted.ts'
import { output, run } from '../test/support/run.ts'
import { startS3Server } from '../test/support/s3-server.ts'
import { filesPerFolder, peakOf, startProxy, timed, writeLarge, writeSmallFiles } from './measuring.ts'

const smallFiles = 10_000
const largeBytes = 2 * 1024 ** 3
const randomReads = 300
/** Of a file of their own: what they leave in the page cache would break up the reading of the large one. */
const randomFileBytes = 256 << 20
const randomReadBytes = 64 << 10
/** Folders that the other programs copy: at one round trip a file, all of them would take ten minutes. */
const foldersForOthers = 8

interface Result {
  readonly program: string
  /** Files a second, copying a tree of small ones. */
  readonly small?: number
  /** MB a second, one large file from start to end. */
  readonly large?: number
  /** Seconds for a whole `find`. */
  readonly find?: number
  /** Reads a second of 64 KiB at random places of a file. */
  readonly random?: number
  /** Bytes of resident memory at most. */
  readonly peak?: number | undefined
  readonly requests?: string
}

async function writeSource(folder: string): Promise<void> {
  await writeSmallFiles(join(folder, 'small'), smallFiles)
  await writeLarge(join(folder, 'large'), largeBytes)
  await writeLarge(join(folder, 'random'), randomFileBytes)
}

/** What people do with a mounted tree, each step on files the kernel has not seen yet. */
async function use(
  tree: string,
  folders: number,
  scratch: string,
  counts: () => Promise<Record<string, number>>,
) {
  // The listing comes first, so that it is not the copy that pays for opening the index.
  const find = await timed(() => output('find', [tree, '-name', 'no such name']))
  const before = await counts()
  const names = (await readdir(join(tree, 'small'))).slice(0, folders)
  const copied = join(scratch, 'copied')
  await mkdir(copied)
  const sources = names.map((name) => join(tree, 'small', name))
  const small = await timed(() => output('cp', ['-r', ...sources, copied], { timeout: 600_000 }))
  await rm(copied, { recursive: true, force: true })
  const random = await timed(() => readRandomly(join(tree, 'random')))
  const large = await timed(() =>
    output('dd', [`if=${join(tree, 'large')}`, 'of=/dev/null', 'bs=1M'], { timeout: 600_000 }),
  )
  const after = await counts()
  const requests = Object.keys(after)
    .map((kind) => `${kind} ${(after[kind] ?? 0) - (before[kind] ?? 0)}`)
    .filter((text) => !text.endsWith(' 0'))
    .join(', ')
  return {
    find,
    small: (names.length * filesPerFolder) / small,
    random: randomReads / random,
    large: largeBytes / 1e6 / large,
    requests,
  }
}

async function readRandomly(path: string): Promise<void> {
  const program = `const fs = require('fs'); const fd = fs.openSync(process.argv[1]); const b = Buffer.alloc(${randomReadBytes});
    let x = 1; for (let i = 0; i < ${randomReads}; i++) { x = (x * 48271) % 2147483647; fs.readSync(fd, b, 0, b.length, Math.floor(x / 2147483647 * ${randomFileBytes / randomReadBytes - 1}) * ${randomReadBytes}) }`
  await output(process.execPath, ['-e', program, path], { timeout: 900_000 })
}

/** Another program's mount of the same bytes under their own names. */
async function useOther(
  program: string,
  args: readonly string[],
  env: Record<string, string>,
  folder: string,
  counts: () => Promise<Record<string, number>>,
): Promise<Result> {
  const mountpoint = join(folder, `mnt-${program}`)
  await mkdir(mountpoint, { recursive: true })
  const child = spawn(
    program,
    args.map((arg) => arg.replace('MOUNTPOINT', mountpoint)),
    {
      stdio: 'ignore',
      env: { ...process.env, ...env },
    },
  )
  const ended = new Promise((resolve) => child.on('close', resolve))
  try {
    for (let i = 0; i < 100 && mountAt(mountpoint) === undefined; i++) await delay(100)
    if (mountAt(mountpoint) === undefined) return { program: `${program} (did not mount)` }
    return {
      program,
      ...(await use(join(mountpoint, 'plain'), foldersForOthers, folder, counts)),
      peak: await peakOf(child.pid),
    }
  } finally {
    if (mountAt(mountpoint) !== undefined) await run('umount', ['-l', mountpoint])
    child.kill('SIGTERM')
    await ended
  }
}

const isInstalled = (program: string): boolean => spawnSync('which', [program]).status === 0

async function main(): Promise<void> {
  const reason = whyNoMounts()
  if (reason !== undefined) throw new Error(`the benchmark mounts: ${reason}`)
  // In memory where there is room: the disk is not what is measured.
  const inMemory = (await stat('/dev/shm').catch(() => undefined))?.isDirectory()
  const scratch = await mkdtemp(join(inMemory ? '/dev/shm' : tmpdir(), 'jbfs-bench-'))
  const folder = await mkdtemp(join(tmpdir(), 'jbfs-bench-'))
  try {
    await using server = await startS3Server('versitygw')
    const bucket = await server.createBucket()
    await using proxy = await startProxy(server.endpoint)
    const counts = (): Promise<Record<string, number>> => proxy.counts()
    const source = join(folder, 'source')
    await mkdir(source)
    console.log(`writing ${smallFiles} small files and one of ${formatByteSize(largeBytes)} …`)
    await writeSource(source)
    const env = { ...server.env, TMPDIR: folder }
    const jbfs = join(import.meta.dirname, '../bin/jbfs.js')
    const imported = await timed(() =>
      output(
        process.execPath,
        [
          jbfs,
          'import',
          source,
          `s3://${bucket}/backups/account`,
          '--endpoint',
          server.endpoint,
          '--cache-dir',
          join(folder, 'cache'),
        ],
        { env, timeout: 900_000 },
      ),
    )
    console.log(`imported in ${imported.toFixed(1)} s`)
    const results: Result[] = [await plain(), await ours()]
    if (isInstalled('rclone') || isInstalled('s3fs')) {
      // The same bytes as plain keys: versitygw's objects are files.
      await cp(source, join(server.dataDir, bucket, 'plain'), {
        recursive: true,
      })
      for (const result of [await rclone(), await s3fs()]) if (result !== undefined) results.push(result)
    }
    print(results)

    async function plain(): Promise<Result> {
      const files = join(server.dataDir, bucket, 'backups/account/files')
      const names = await readdir(files)
      const sizes = await Promise.all(names.map(async (name) => (await stat(join(files, name))).size))
      const key = (name: string): string => `backups/account/files/${name}`
      const large = names.find((_, i) => sizes[i] === largeBytes) as string
      const small = names.filter((_, i) => (sizes[i] ?? 0) <= 64 << 10)
      const script = join(import.meta.dirname, 'plain-reader.ts')
      const read = async (...args: string[]): Promise<number> => {
        const printed = await output(process.execPath, [script, proxy.endpoint, bucket, ...args], {
          env,
          input: small.map(key).join('\n'),
        })
        return (JSON.parse(printed) as { seconds: number }).seconds
      }
      return {
        program: 'plain parallel GET (64 at a time; 16 × 8 MiB)',
        small: smallFiles / (await read('objects', '64')),
        large:
          largeBytes / 1e6 / (await read('ranges', '16', key(large), String(largeBytes), String(8 << 20))),
      }
    }

    async function ours(): Promise<Result> {
      const args = ['--endpoint', proxy.endpoint]
      await using mount = await mountDestination(folder, `s3://${bucket}/backups`, { args, env })
      const tree = join(mount.path, 'account/latest/')
      await output('ls', [tree])
      return {
        program: 'jbfs',
        ...(await use(tree, smallFiles / filesPerFolder, scratch, counts)),
        peak: await peakOf(mount.daemon.pid),
      }
    }

    async function rclone(): Promise<Result | undefined> {
      if (!isInstalled('rclone')) return undefined
      const args = ['mount', `bench:${bucket}`, 'MOUNTPOINT', '--read-only', '--vfs-cache-mode', 'off']
      const settings = {
        // rclone's SDK cannot take it.
        AWS_CA_BUNDLE: '',
        RCLONE_CONFIG: '/dev/null',
        RCLONE_CONFIG_BENCH_TYPE: 's3',
        RCLONE_CONFIG_BENCH_PROVIDER: 'Other',
        RCLONE_CONFIG_BENCH_ENDPOINT: proxy.endpoint,
        RCLONE_CONFIG_BENCH_ENV_AUTH: 'true',
        RCLONE_CONFIG_BENCH_FORCE_PATH_STYLE: 'true',
      }
      return useOther('rclone', args, { ...server.env, ...settings }, folder, counts)
    }

    async function s3fs(): Promise<Result | undefined> {
      if (!isInstalled('s3fs')) return undefined
      const args = [bucket, 'MOUNTPOINT', '-f', '-o', `url=${proxy.endpoint},use_path_request_style,ro`]
      const keys = {
        AWSACCESSKEYID: server.accessKeyId,
        AWSSECRETACCESSKEY: server.secretAccessKey,
      }
      return useOther('s3fs', args, keys, folder, counts)
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
    await rm(folder, { recursive: true, force: true })
  }
}

function print(results: readonly Result[]): void {
  const [yardstick] = results
  const number = (value: number | undefined, digits = 0): string => value?.toFixed(digits) ?? '–'
  const rate = (value: number | undefined, base: number | undefined): string =>
    value === undefined || base === undefined ? '–' : `${number(value)} (${(value / base).toFixed(2)})`
  const rows = results.map((result) => [
    result.program,
    rate(result.small, yardstick?.small),
    rate(result.large, yardstick?.large),
    number(result.find, 2),
    number(result.random),
    result.peak === undefined ? '–' : formatByteSize(result.peak),
    result.requests ?? '–',
  ])
  const columns = [
    'program',
    'small files/s',
    `${formatByteSize(largeBytes)}, MB/s`,
    'find, s',
    '64 KiB reads/s',
    'peak memory',
    'requests',
  ]
  console.log(
    formatTable(
      columns.map((title) => ({ title })),
      rows,
    ),
  )
  console.log('In brackets: as a part of the plain program’s. Requests do not count those of `find`.')
}

await main()

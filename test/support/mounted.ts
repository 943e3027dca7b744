import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { mountAt } from '../../src/base/mountinfo.ts'
import { run } from './run.ts'

export const jbfsProgram = join(import.meta.dirname, '../../bin/jbfs.js')

/** Why nothing can be mounted here; undefined when it can. */
export function whyNoMounts(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can mount here'
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK)
    return undefined
  } catch {
    return 'there is no /dev/fuse'
  }
}

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string
}

/** A folder of its own for one test; removed with all that is in it. */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), 'jbfs-test-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) }
}

export interface MountedDestination extends AsyncDisposable {
  readonly path: string
  readonly daemon: ChildProcess
  /** What the daemon has logged so far. */
  log(): Promise<string>
  /** Resolves with the daemon's exit code. */
  readonly ended: Promise<number | null>
}

export interface MountSettings {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** Mounts `destination` by `jbfs mount --foreground` in a child process, below `folder`; unmounts when disposed of. */
export async function mountDestination(
  folder: string,
  destination: string,
  { args = [], env = {} }: MountSettings = {},
): Promise<MountedDestination> {
  const path = join(folder, 'mnt')
  const logFile = join(folder, 'daemon.log')
  await mkdir(path, { recursive: true })
  // What an earlier mount has logged there is not this one's.
  await rm(logFile, { force: true })
  const daemon = spawn(
    process.execPath,
    [
      jbfsProgram,
      'mount',
      destination,
      path,
      '--foreground',
      '--cache-dir',
      join(folder, 'cache'),
      '--log-file',
      logFile,
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } },
  )
  let printed = ''
  daemon.stdout?.on('data', (chunk: Buffer) => {
    printed += chunk
  })
  daemon.stderr?.on('data', (chunk: Buffer) => {
    printed += chunk
  })
  const ended = new Promise<number | null>((resolve) => daemon.on('close', (code) => resolve(code)))
  const log = async (): Promise<string> => printed + (await readFile(logFile, 'utf8').catch(() => ''))
  const unmount = async (): Promise<void> => {
    if (mountAt(path) !== undefined) await run('umount', ['-l', '-c', '-i', path])
    daemon.kill('SIGTERM')
    await ended
  }
  const deadline = Date.now() + 30_000
  // The log says it only when the mount answers; the table of mounts knows it a moment too early.
  while (!/"msg":"mounted"|\bmounted\b/.test(await log())) {
    if (daemon.exitCode !== null || daemon.signalCode !== null || Date.now() > deadline) {
      const how = daemon.exitCode === null ? 'is not there after 30 s' : `ended with code ${daemon.exitCode}`
      await unmount()
      throw new Error(`the mount ${how}: ${await log()}`)
    }
    await delay(20)
  }
  return { path, daemon, ended, log, [Symbol.asyncDispose]: unmount }
}

import { spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { codeOf, messageOf } from '../base/errors.ts'
import { isRoot } from '../base/is-root.ts'
import type { Logger } from '../base/log.ts'
import { mountAt, mounts } from '../base/mountinfo.ts'
import { fusermountProgram, mountWithFusermount } from './fusermount.ts'
import { complaintOf, MountError } from './mount-error.ts'
import { fsnameOf, type MountFlags, mountFlags } from './mount-options.ts'
import { noDevice } from './no-fuse.ts'

export interface MountRequest extends MountFlags {
  readonly mountpoint: string
  readonly source: string
}

/** KiB the kernel reads ahead. With 100 ms a request: 2 MiB/s at its default of 128, 209 at 16,384 (native-notes/fuse.md). */
const readAheadKib = 16_384

/** Mounts, and returns the open /dev/fuse; the first request to be read from it is INIT. */
export function mount(request: MountRequest): number {
  return isRoot() ? mountAsRoot(request) : mountWithFusermount(request.mountpoint, fusermountOptions(request))
}

function mountAsRoot(request: MountRequest): number {
  const { mountpoint, source } = request
  const fd = openDevice()
  const options = `fd=${fd},rootmode=40000,user_id=0,group_id=0,${mountFlags(request)}`
  // The kernel looks `fd=N` up in the process that calls mount(2): the descriptor is inherited under its own number.
  const stdio: ('ignore' | 'pipe' | number)[] = ['ignore', 'ignore', 'pipe']
  while (stdio.length < fd) stdio.push('ignore')
  stdio.push(fd)
  const result = spawnSync('mount', ['-c', '-i', '-t', 'fuse.jbfs', '-o', options, source, mountpoint], {
    stdio,
    env: { ...process.env, LC_ALL: 'C' },
  })
  if (result.status === 0) return fd
  closeSync(fd)
  throw new MountError(
    'refused',
    `cannot mount at ${mountpoint}: ${result.error ? messageOf(result.error) : complaintOf(result.stderr)}`,
  )
}

function fusermountOptions(request: MountRequest): string {
  return `${mountFlags(request)},subtype=jbfs,fsname=${fsnameOf(request.source)}`
}

/** Throws `no-fuse`, with what to do, where this process may not open /dev/fuse. */
export function requireDevice(): void {
  closeSync(openDevice())
}

function openDevice(): number {
  try {
    return openSync('/dev/fuse', 'r+')
  } catch (error) {
    throw noDevice(codeOf(error), error)
  }
}

/** Lets the kernel read further ahead than its default; only root may, and a mount without it is merely slower. */
export function raiseReadAhead(mountpoint: string, logger: Logger): void {
  const device = mountAt(mountpoint)?.device
  if (device === undefined || !isRoot()) return
  try {
    writeFileSync(`/sys/class/bdi/${device}/read_ahead_kb`, String(readAheadKib))
  } catch (error) {
    logger.info({ error: messageOf(error) }, 'the kernel keeps its own read-ahead')
  }
}

/**
 * Unmounts without sending a request to the mount itself, which its own daemon could never answer while it waits (umount(8) without
 * `-c` does). Rejects with `busy` while something uses it.
 */
export async function unmount(mountpoint: string, { lazy = false } = {}): Promise<void> {
  const [command, ...args] = unmountCommand(mountpoint, lazy)
  const { code, stderr } = await run(command as string, args)
  if (code === 0 || mountAt(mountpoint) === undefined) return
  const reason = complaintOf(stderr)
  throw /busy/.test(reason)
    ? new MountError('busy', `${mountpoint} is in use`)
    : new MountError('refused', `cannot unmount ${mountpoint}: ${reason}`)
}

/**
 * Unmounts what is mounted there now, and nothing that has taken its place since it was detached. Rejects as `unmount` does, and with `refused` when something is
 * mounted over it.
 */
export function unmounterOf(mountpoint: string): (options?: { lazy?: boolean }) => Promise<void> {
  // No other has the number while this one has users.
  const ours = mountAt(mountpoint)?.device
  return async (options) => {
    const table = mounts()
    if (mountAt(mountpoint, table)?.device === ours) await unmount(mountpoint, options)
    else if (table.some((mount) => mount.mountpoint === mountpoint && mount.device === ours))
      throw new MountError('refused', `something else is mounted over ${mountpoint}`)
  }
}

function unmountCommand(mountpoint: string, lazy: boolean): string[] {
  if (isRoot()) return ['umount', ...(lazy ? ['-l'] : []), '-c', '-i', mountpoint]
  return [fusermountProgram(), lazy ? '-uz' : '-u', mountpoint]
}

/**
 * Starts a process that outlives this one and unmounts `mountpoint` if it is left dead: it waits for the end of a pipe that only this
 * process holds. After an orderly unmount it does nothing. `sh` and no shell words of ours: the path is an argument.
 */
export function watchForCrash(mountpoint: string): void {
  const [command, ...args] = unmountCommand('', true)
  const script = `trap '' INT TERM HUP
cat >/dev/null
n=0
while [ $n -lt 25 ]; do
  e=$(LC_ALL=C stat "$1" 2>&1 >/dev/null) && exit 0
  case $e in *"No such file"*) exit 0 ;; *"not connected"*) exec ${[command, ...args.slice(0, -1)].join(' ')} "$1" ;; esac
  n=$((n + 1))
  sleep 0.2
done`
  const watcher = spawn('/bin/sh', ['-c', script, 'jbfs-watch', mountpoint], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  })
  watcher.on('error', () => {})
  watcher.unref()
  ;(watcher.stdin as unknown as { unref?: () => void } | null)?.unref?.()
}

function run(command: string, args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: '/',
      env: { ...process.env, LC_ALL: 'C' },
    })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', (error) =>
      reject(new MountError('refused', `cannot run ${command}: ${messageOf(error)}`, { cause: error })),
    )
    child.on('close', (code) => resolve({ code, stderr }))
  })
}

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf } from '../base/errors.ts'
import { isRoot } from '../base/is-root.ts'
import { mountAt } from '../base/mountinfo.ts'
import { controlSocketPath, removeControlSocket } from '../daemon/control-socket.ts'
import { unmount } from '../fuse/mount.ts'
import { MountError } from '../fuse/mount-error.ts'
import { unpublishedWork } from '../staging/unpublished.ts'
import { CliError } from './errors.ts'
import { healthOfMount, jbfsType } from './mountpoint.ts'
import { askMount } from './mounts.ts'
import { ownFolders } from './own-folders.ts'
import { publishAndWait } from './publish-and-wait.ts'
import { unpublishedText } from './unpublished-text.ts'

/** Milliseconds a daemon may take to end after its mount has gone; it only closes files and connections. */
const patience = 30_000
/** Milliseconds between looks whether it has. */
const lookInterval = 20

export interface UnmountOptions {
  readonly lazy?: boolean
  /** Where a daemon that has died has left what it had not published; undefined: nothing was written. */
  readonly stateDir?: string
}

/**
 * Unmounts what jbfs has mounted at a canonical path, dead or alive, and waits until its daemon has ended; with `lazy` it is detached even
 * when in use, and not waited for. What was written there is published first; what cannot be is said by `not-published` when it is unmounted, and its daemon
 * goes on trying, or by `lease-lost`, and the next mount goes on with it. Throws `not-mounted`, `busy` (with advice), `refused` (also for another user's) or `still-running`, too.
 */
export async function unmountAndWait(
  mountpoint: string,
  { lazy = false, stateDir }: UnmountOptions = {},
): Promise<void> {
  const mounted = mountAt(mountpoint)
  if (mounted === undefined) throw new CliError('not-mounted', notMountedText(mountpoint, stateDir))
  if (mounted.type !== jbfsType)
    throw new CliError('not-mounted', `what is mounted at ${mountpoint} is not jbfs but ${mounted.type}`)
  refuseForeign(mountpoint, mounted.owner)

  const { runtime } = ownFolders()
  const socket = controlSocketPath(runtime, mountpoint)
  const status = await askMount(socket)
  const daemon = status?.pid
  const problem =
    status?.writing && !lazy
      ? await publishAndWait(socket, { unmounts: true }).catch((error: unknown) => error)
      : undefined
  await unmountOrAdvise(mountpoint, lazy)
  // Without the lease there is nothing to go on with. That it is lost is the news, whether the daemon ends or not.
  if (codeOf(problem) === 'lease-lost' && daemon !== undefined) await ended(daemon).catch(() => {})
  if (problem !== undefined) throw problem
  if (daemon !== undefined) {
    if (!lazy) await ended(daemon)
    return
  }
  // One that hangs, or has died.
  removeControlSocket(socket)
  const left = leftText(mountpoint, stateDir)
  if (left !== undefined) throw new CliError('not-published', `it is unmounted; ${left}`)
}

function notMountedText(mountpoint: string, stateDir: string | undefined): string {
  const left = leftText(mountpoint, stateDir)
  return `nothing is mounted at ${mountpoint}${left === undefined ? '' : `; ${left}`}`
}

/** What a daemon that was there has left; undefined: nothing. */
function leftText(mountpoint: string, stateDir: string | undefined): string | undefined {
  if (stateDir === undefined) return undefined
  const left = unpublishedWork(stateDir).find((work) => work.mountpoint === mountpoint)
  if (left === undefined) return undefined
  return (
    `its daemon has ended before all that was written there was published: ${unpublishedText(left)}, kept on this machine; ` +
    `to go on with it: ${left.mountAgain}`
  )
}

/** Throws `refused` for a mount of another user: the system would, without saying why. */
function refuseForeign(mountpoint: string, owner: number | undefined): void {
  if (isRoot() || owner === undefined || owner === process.getuid?.()) return
  const name = nameOfUser(owner)
  throw new MountError(
    'refused',
    `${mountpoint} was mounted by ${name}: only ${name === 'root' ? 'root' : `${name} or root`} can unmount it, ` +
      `as by sudo jbfs umount ${mountpoint}`,
  )
}

/** As id(1) has it, who asks whatever the system takes users from. */
function nameOfUser(uid: number): string {
  const { stdout } = spawnSync('id', ['-nu', '--', String(uid)], { encoding: 'utf8', cwd: '/' })
  return stdout?.trim() || `user ${uid}`
}

async function unmountOrAdvise(mountpoint: string, lazy: boolean): Promise<void> {
  try {
    await unmount(mountpoint, { lazy })
  } catch (error) {
    if (!(error instanceof MountError) || error.code !== 'busy') throw error
    // Asked only now: whatever asks a mount that hangs uses it, and may do so for as long as it hangs.
    if ((await healthOfMount(mountpoint)) === 'dead') return unmount(mountpoint, { lazy: true })
    throw new MountError(
      'busy',
      `${mountpoint} is in use: fuser -vm ${mountpoint} (or lsof) shows by whom; ` +
        `jbfs umount --lazy ${mountpoint} detaches it all the same`,
      { cause: error },
    )
  }
}

async function ended(pid: number): Promise<void> {
  const end = performance.now() + patience
  while (isRunning(pid)) {
    if (performance.now() > end)
      throw new CliError('still-running', `it is unmounted, but its daemon (process ${pid}) does not end`)
    await delay(lookInterval)
  }
}

/** A zombie has ended: in a container nobody may be there to collect it. */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !/^ [ZX]/.test(stat.slice(stat.lastIndexOf(')') + 1))
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return false
    throw error
  }
}

import { spawn } from 'node:child_process'
import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { contains, nearestRealpath } from '../base/containment.ts'
import { codeOf } from '../base/errors.ts'
import { mountAt } from '../base/mountinfo.ts'
import { systemReason } from '../base/system-reason.ts'
import { unmount } from '../fuse/mount.ts'
import { CliError } from './errors.ts'

/**
 * Nothing here asks a mount anything from within this process before it is known to answer: one whose daemon hangs would hang us
 * too, for good.
 */

/** As many links as the kernel follows. */
const mostLinks = 40

/** The path as the table of mounts has it: absolute, links resolved, the last component not touched if something is mounted on it. */
export async function canonicalMountpoint(typed: string): Promise<string> {
  // An unset variable in a script, which would otherwise name the working folder.
  if (typed === '') throw new CliError('bad-mountpoint', 'no mountpoint given: say a folder')
  let path = resolve(typed)
  for (let links = 0; links < mostLinks; links++) {
    if (path === '/') return path
    const here = join(await realpathOf(dirname(path)), basename(path))
    if (mountAt(here) !== undefined) return here
    const target = await linkTarget(here)
    if (target === undefined) return here
    path = resolve(dirname(here), target)
  }
  throw new CliError('bad-mountpoint', `${typed} goes through too many symbolic links`)
}

async function realpathOf(folder: string): Promise<string> {
  try {
    return await realpath(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw new CliError('bad-mountpoint', `there is no folder ${folder}`)
    throw new CliError('bad-mountpoint', `cannot reach ${folder}: ${systemReason(error)}`, { cause: error })
  }
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : undefined
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw new CliError('bad-mountpoint', `cannot look at ${path}: ${systemReason(error)}`, { cause: error })
  }
}

/** `dead`: its daemon has gone and every access fails · `silent`: no answer within the timeout. */
export type MountHealth = 'alive' | 'dead' | 'silent'

/** Milliseconds for a process that was killed. */
const timeToDie = 1_000

/** Asks a mount whether it answers, from another process. A statfs: unlike a stat, the kernel has no answer of its own to it. */
export function healthOfMount(mountpoint: string, { timeout = 2_000 } = {}): Promise<MountHealth> {
  return new Promise((resolve, reject) => {
    const child = spawn('stat', ['-f', '-c', '%T', '--', mountpoint], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
      cwd: '/',
    })
    let complaint = ''
    let isSilent = false
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text
    })
    let timer = setTimeout(() => {
      isSilent = true
      child.kill('SIGKILL')
      // Until it has gone the mount is in use by it; but what the daemon has begun to answer is beyond reach of any signal.
      timer = setTimeout(() => {
        child.stderr.destroy()
        child.unref()
        resolve('silent')
      }, timeToDie)
    }, timeout)
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(timer)
      resolve(isSilent ? 'silent' : /not connected|aborted/.test(complaint) ? 'dead' : 'alive')
    })
  })
}

/**
 * Makes sure that something can be mounted at a canonical path: a folder on which nothing is mounted. What a crashed daemon has left
 * there is cleared away.
 */
export async function prepareMountpoint(mountpoint: string): Promise<void> {
  await clearDeadMounts(mountpoint)
  let isFolder: boolean
  try {
    isFolder = (await stat(mountpoint)).isDirectory()
  } catch (error) {
    if (codeOf(error) !== 'ENOENT')
      throw new CliError('bad-mountpoint', `cannot look at ${mountpoint}: ${systemReason(error)}`, {
        cause: error,
      })
    throw new CliError('bad-mountpoint', `there is no folder ${mountpoint}: make it with mkdir -p`)
  }
  if (!isFolder) throw new CliError('bad-mountpoint', `${mountpoint} is no folder`)
}

/** How many entries a mount at this path hides, as long as it is there. */
export async function entriesIn(mountpoint: string): Promise<number> {
  // Whoever may not list it may still mount there.
  return (await readdir(mountpoint).catch(() => [])).length
}

async function clearDeadMounts(mountpoint: string): Promise<void> {
  for (let mounted = mountAt(mountpoint); mounted !== undefined; mounted = mountAt(mountpoint)) {
    const { type, source } = mounted
    if (type !== jbfsType)
      throw new CliError(
        'bad-mountpoint',
        `something else is mounted at ${mountpoint} (${type}): choose another folder`,
      )
    const health = await healthOfMount(mountpoint)
    if (health !== 'dead')
      throw new CliError(
        'bad-mountpoint',
        `${source} is mounted at ${mountpoint} already${health === 'silent' ? ', but does not answer' : ''}: ` +
          `jbfs umount ${mountpoint}`,
      )
    await unmount(mountpoint, { lazy: true })
  }
}

/** The type of a jbfs mount in the table of mounts. */
export const jbfsType = 'fuse.jbfs'

/** Nothing is written to a mounted destination, and so nothing of ours may lie in it. */
export function refuseInside(
  destination: string,
  folders: readonly { readonly path: string; readonly what: string; readonly option: string }[],
): void {
  for (const { path, what, option } of folders)
    if (contains(destination, nearestRealpath(path)))
      throw new CliError('usage', `${what} ${path} lies in the destination: choose another ${option}`)
}

/**
 * Refuses a mountpoint that is, holds or lies in a folder which the mount itself works with: it would hide it, or show itself in itself,
 * and its daemon would wait for its own answers. `what` says what the folder is, as in `the cache folder`.
 */
export function refuseOverlap(
  mountpoint: string,
  folders: readonly { readonly path: string; readonly what: string; readonly mayHold?: boolean }[],
): void {
  for (const { path, what, mayHold = false } of folders) {
    const real = nearestRealpath(path)
    const hides = contains(mountpoint, real)
    if (hides || (!mayHold && contains(real, mountpoint)))
      throw new CliError(
        'bad-mountpoint',
        `${mountpoint} ${hides ? 'is or holds' : 'lies in'} ${what} ${path}: choose another folder`,
      )
  }
}

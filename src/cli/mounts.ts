import { type MountInfo, mounts } from '../base/mountinfo.ts'
import { askStatus, controlSocketPath } from '../daemon/control-socket.ts'
import type { MountStatus } from '../daemon/status.ts'
import { healthOfMount, jbfsType, type MountHealth } from './mountpoint.ts'

/** A jbfs mount as it is seen from outside. */
export interface JbfsMount extends Pick<MountInfo, 'mountpoint' | 'source'> {
  /** `unknown`: it answers, but its daemon is out of our reach, being another user's. */
  readonly state: 'serving' | 'unknown' | Exclude<MountHealth, 'alive'>
  /** What the daemon says; undefined unless it is `serving`. */
  readonly status: MountStatus | undefined
}

export async function jbfsMounts(runtimeFolder: string): Promise<JbfsMount[]> {
  const ours = mounts().filter(({ type }) => type === jbfsType)
  return Promise.all(
    ours.map(async ({ mountpoint, source }): Promise<JbfsMount> => {
      const status = await askMount(controlSocketPath(runtimeFolder, mountpoint))
      if (status !== undefined) return { mountpoint, source, state: 'serving', status }
      const health = await healthOfMount(mountpoint)
      return { mountpoint, source, state: health === 'alive' ? 'unknown' : health, status }
    }),
  )
}

/** What the daemon behind a control socket says of itself; undefined when none answers. */
export async function askMount(socket: string): Promise<MountStatus | undefined> {
  const answer = await askStatus(socket).catch(() => undefined)
  return isMountStatus(answer) ? answer : undefined
}

/** The socket is one only our own daemons can listen on: enough to tell theirs from an error, or from another version's. */
function isMountStatus(answer: unknown): answer is MountStatus {
  return (
    typeof answer === 'object' &&
    answer !== null &&
    'pid' in answer &&
    Number.isSafeInteger(answer.pid) &&
    'snapshots' in answer &&
    Array.isArray(answer.snapshots)
  )
}

import { type MountInfo, mounts } from '../base/mountinfo.ts'
import type { UserFolders } from '../base/user-folders.ts'
import { askStatus, controlSockets } from '../daemon/control-socket.ts'
import type { MountStatus } from '../daemon/status.ts'
import { isSamePlace } from '../destination/place.ts'
import { type UnpublishedWork, unpublishedWork } from '../staging/unpublished.ts'
import { healthOfMount, jbfsType, type MountHealth } from './mountpoint.ts'

/** A jbfs mount as it is seen from outside, or what one has left. */
export interface JbfsMount extends Pick<MountInfo, 'mountpoint' | 'source'> {
  /**
   * `unknown`: it answers, but its daemon is out of our reach, being another user's · `detached`: its daemon serves it, but not here · `unmounted`: its
   * daemon goes on, as not all that was written there is published · `gone`: nor is it, and its daemon has ended.
   */
  readonly state: 'serving' | 'unknown' | 'detached' | 'unmounted' | 'gone' | Exclude<MountHealth, 'alive'>
  /** What the daemon says; undefined where none answers. */
  readonly status: MountStatus | undefined
  /** What waits for the next mount; undefined when there is nothing, or a daemon has it. */
  readonly unpublished: UnpublishedWork | undefined
}

/** All that is mounted, that a daemon goes on with, and that waits for one. */
export async function jbfsMounts({
  runtime,
  state,
}: Pick<UserFolders, 'runtime' | 'state'>): Promise<JbfsMount[]> {
  const answers = await Promise.all(controlSockets(runtime).map(askMount))
  const daemons = answers.filter((status) => status !== undefined)
  const here = mounts()
    .filter(({ type }) => type === jbfsType)
    .map((mount) => ({ mount, status: daemonOf(mount, daemons) }))
  const left = unpublishedWork(state)
  return Promise.all([
    ...here.map(({ mount, status }) => mountedHere(mount, status, left)),
    ...daemons
      .filter((daemon) => isGoingOn(daemon) && !here.some(({ status }) => status === daemon))
      .map(goingOn),
    ...left
      .filter((work) => !here.some(({ mount }) => isLeftBy(mount, work)))
      .map(
        (unpublished): JbfsMount => ({
          mountpoint: unpublished.mountpoint,
          source: unpublished.place,
          state: 'gone',
          status: undefined,
          unpublished,
        }),
      ),
  ])
}

/** The last one there: one before goes on with what was unmounted, or detached. */
function daemonOf({ mountpoint }: MountInfo, daemons: readonly MountStatus[]): MountStatus | undefined {
  return daemons
    .filter((daemon) => daemon.isMounted && daemon.mountpoint === mountpoint)
    .sort((a, b) => a.since.localeCompare(b.since))
    .at(-1)
}

async function mountedHere(
  { mountpoint, source }: MountInfo,
  status: MountStatus | undefined,
  left: readonly UnpublishedWork[],
): Promise<JbfsMount> {
  const unpublished = left.find((work) => isLeftBy({ mountpoint, source }, work))
  if (status !== undefined) return { mountpoint, source, state: 'serving', status, unpublished }
  const health = await healthOfMount(mountpoint)
  return { mountpoint, source, state: health === 'alive' ? 'unknown' : health, status, unpublished }
}

function isLeftBy(
  { mountpoint, source }: Pick<MountInfo, 'mountpoint' | 'source'>,
  work: UnpublishedWork,
): boolean {
  return work.mountpoint === mountpoint && isSamePlace(work.place, source)
}

/** Not one that is about to end. */
function isGoingOn({ isMounted, writing }: MountStatus): boolean {
  return isMounted || (writing !== undefined && writing.snapshots > 0)
}

function goingOn(status: MountStatus): JbfsMount {
  const { mountpoint, destination, isMounted } = status
  return {
    mountpoint,
    source: destination,
    state: isMounted ? 'detached' : 'unmounted',
    status,
    unpublished: undefined,
  }
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

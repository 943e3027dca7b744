import type { ArgumentsCamelCase, Argv, CommandModule, InferredOptionTypes, Options } from 'yargs'
import { formatByteSize } from '../../base/byte-size.ts'
import type { StateFolderFault } from '../../daemon/state-folder-faults.ts'
import type { MountStatus, WritingStatus } from '../../daemon/status.ts'
import { ageText } from '../../destination/ownership.ts'
import type { UnpublishedWork } from '../../staging/unpublished.ts'
import { CliError } from '../errors.ts'
import { canonicalMountpoint } from '../mountpoint.ts'
import { type JbfsMount, jbfsMounts } from '../mounts.ts'
import { jsonFlag, stateDirFlag, stateDirOf } from '../options.ts'
import { print, printable } from '../output.ts'
import { ownFolders } from '../own-folders.ts'
import { unpublishedText } from '../unpublished-text.ts'

const statusFlags = { ...jsonFlag, ...stateDirFlag } as const satisfies Record<string, Options>

type StatusArguments = InferredOptionTypes<typeof statusFlags> & { mountpoint: string | undefined }

export const statusCommand: CommandModule<object, StatusArguments> = {
  command: 'status [mountpoint]',
  describe: 'Show what is mounted, what it has done, and what is not published yet',
  builder: (yargs: Argv) =>
    yargs
      .positional('mountpoint', { type: 'string', describe: 'only this one' })
      .options(statusFlags)
      .example('$0 status', 'all mounts')
      .example('$0 status /mnt/backups --json', 'one mount, for a program'),
  handler: runStatus,
}

async function runStatus({
  mountpoint: typed,
  json,
  ...args
}: ArgumentsCamelCase<StatusArguments>): Promise<void> {
  const { runtime } = ownFolders()
  const stateDir = stateDirOf(args)
  const nothingLeft = `nothing waits in ${stateDir} to be published (another --state-dir may have been used)`
  let shown = await jbfsMounts({ runtime, state: stateDir })
  if (typed !== undefined) {
    const mountpoint = await canonicalMountpoint(typed)
    shown = shown.filter((mount) => mount.mountpoint === mountpoint)
    if (shown.length === 0)
      throw new CliError('not-mounted', `jbfs has nothing mounted at ${mountpoint}, and ${nothingLeft}`)
  }
  if (json) print(JSON.stringify(shown, null, 2))
  else
    print(
      shown.length === 0
        ? `nothing is mounted, and ${printable(nothingLeft)}`
        : shown.map(describeMount).join('\n\n'),
    )
}

const stateAdvice = {
  dead: (mountpoint: string) =>
    `dead: its daemon has ended without unmounting; jbfs umount ${mountpoint} clears it`,
  silent: () => 'does not answer; its log may say why',
  unknown: () => "mounted, but its daemon cannot be asked (is it another user's?)",
  detached: () =>
    'detached, or mounted where it cannot be seen from here; its daemon ends with its last user',
  unmounted: () => 'unmounted, and not all that was written there is published',
  gone: () => 'its daemon is gone, and not all that was written there is published',
} as const

function describeMount({ mountpoint, source, state, status, unpublished }: JbfsMount): string {
  const rows = [
    ['destination', printable(status?.destination ?? source)],
    ...(state === 'serving' ? [] : [['state', stateAdvice[state](mountpoint)]]),
    ...(status === undefined ? [] : rowsOf(status)),
    ...(unpublished === undefined ? [] : [['unpublished', leftText(unpublished)]]),
  ]
  return [printable(mountpoint), ...rows.map(([title = '', text]) => `  ${title.padEnd(12)} ${text}`)].join(
    '\n',
  )
}

function rowsOf(status: MountStatus): string[][] {
  const { snapshots } = status
  const inState = (state: string): number => snapshots.filter((snapshot) => snapshot.state === state).length
  return [
    ['since', new Date(status.since).toLocaleString('sv-SE')],
    [
      'daemon',
      `process ${status.pid}, transport ${status.transport}, ${formatByteSize(status.residentBytes)} resident`,
    ],
    ['kernel', summary(status.operations)],
    ['store', summary(status.store)],
    ['cache', summary(status.cache)],
    ...(status.cache.diskFault === undefined
      ? []
      : [['disk cache', `does not work as it should: ${printable(status.cache.diskFault)}`]]),
    ...(status.writing === undefined ? [] : [['writing', writingText(status.writing)]]),
    ...(status.writing?.stateFolderFault === undefined
      ? []
      : [['state folder', faultText(status.writing.stateFolderFault)]]),
    ['snapshots', `${snapshots.length} seen, ${inState('open')} open`],
    ...snapshots
      .filter(({ problem }) => problem !== undefined)
      .map(({ state, problem = '' }) => [state, printable(problem)]),
  ]
}

function leftText({ mountAgain, problem, ...left }: UnpublishedWork): string {
  const unread = problem === undefined ? '' : `; cannot be read: ${printable(problem)}`
  return `${unpublishedText(left)}: waiting on this machine for ${printable(mountAgain)}${unread}`
}

function writingText(writing: WritingStatus): string {
  if (writing.snapshots === 0) return 'all is published'
  const left = unpublishedText(writing)
  const [first] = writing.failures
  return first === undefined ? left : `${left}; ${printable(`${first.snapshot}: ${first.error}`)}`
}

function faultText({ seconds, message }: StateFolderFault): string {
  return `${ageText(seconds)} ago a change failed: ${printable(message)}`
}

/** `{ hits: 3, bytesRead: 2048 }` as `hits 3, bytes read 2.0 KiB`; what is nested goes by its path. Zeros are left out. */
function summary(counts: object): string {
  const parts = Object.entries(counts).flatMap(([name, value]: [string, unknown]) => {
    const title = /^[A-Z\d_]+$/.test(name)
      ? name
      : name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    if (typeof value === 'object' && value !== null) {
      const inner = summary(value)
      return inner === nothing ? [] : [`${title} (${inner})`]
    }
    if (typeof value !== 'number' || value === 0) return []
    return [`${title} ${/bytes/i.test(name) ? formatByteSize(value) : value}`]
  })
  return parts.length === 0 ? nothing : parts.join(', ')
}

const nothing = 'nothing yet'

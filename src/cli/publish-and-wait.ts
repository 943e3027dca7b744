import { setTimeout as delay } from 'node:timers/promises'
import { shellWord } from '../base/command-line.ts'
import { codeOf, messageOf } from '../base/errors.ts'
import { askToPublish } from '../daemon/control-socket.ts'
import type { WritingStatus } from '../daemon/status.ts'
import { DestinationError } from '../destination/errors.ts'
import { CliError } from './errors.ts'
import { amountText, counted } from './maintenance/counts.ts'
import { askMount } from './mounts.ts'
import { ProgressLine } from './progress-line.ts'
import { unpublishedText } from './unpublished-text.ts'

/** Milliseconds between looks at how far it has come. */
const lookInterval = 300

/**
 * Has the daemon behind a control socket publish all that was written at its mount, and shows what is left. Throws `not-published`, with what could
 * not be stored: it is kept, and tried again; also when the daemon does not answer any more; `lease-lost` when that is in vain. `unmounts`: it is unmounted then, whatever comes of it.
 */
export async function publishAndWait(socket: string, { unmounts = false } = {}): Promise<void> {
  const ended = new AbortController()
  const publishing = askToPublish(socket).finally(() => ended.abort())
  publishing.catch(() => {})
  {
    using line = new ProgressLine()
    for (;;) {
      await delay(lookInterval, undefined, { signal: ended.signal }).catch(() => {})
      if (ended.signal.aborted) break
      const writing = (await askMount(socket))?.writing
      if (!ended.signal.aborted && writing !== undefined) line.show(() => progressText(writing))
    }
  }
  try {
    await publishing
  } catch (error) {
    const status = await askMount(socket)
    if (status?.writing === undefined)
      throw new CliError(
        'not-published',
        `cannot tell whether all that was written is published: ${messageOf(error)}; jbfs status shows what is left`,
        { cause: error },
      )
    if (codeOf(error) === 'lease-lost')
      throw new DestinationError('lease-lost', lossText(error, status.writing, status.mountpoint, unmounts), {
        cause: error,
      })
    const { files, bytes, failures } = status.writing
    const [first] = failures
    const why = first === undefined ? messageOf(error) : `${first.snapshot}: ${first.error}`
    const left = files === 0 ? '' : ` (not stored: ${amountText({ count: files, bytes }, 'file')})`
    throw new CliError(
      'not-published',
      `not all that was written is published${left}: ${why}; it is kept, and tried again${unmounts ? ': jbfs status shows what is left' : ''}`,
      { cause: error },
    )
  }
}

/** Indexes and manifests come when all files are stored. */
function progressText({ files, bytes, snapshots }: WritingStatus): string {
  return files === 0
    ? `publishing what was written: ${counted(snapshots, 'snapshot')} left`
    : `storing what was written: ${amountText({ count: files, bytes }, 'file')} left`
}

/** What happened, and what to do: the daemon that has lost its lease never writes again. */
function lossText(error: unknown, writing: WritingStatus, mountpoint: string, unmounts: boolean): string {
  const steps = unmounts
    ? `It is unmounted; to go on with it: ${writing.mountAgain}`
    : `To go on with it: jbfs umount ${shellWord(mountpoint)}, then ${writing.mountAgain}`
  return (
    `${messageOf(error)}. ${unpublishedText(writing)}: kept on this machine. ` +
    `${steps} (which says how to take the directory over, where that is needed)`
  )
}

import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../base/errors.ts'
import { askToPublish } from '../daemon/control-socket.ts'
import { CliError } from './errors.ts'
import { amountText } from './maintenance/counts.ts'
import { askMount } from './mounts.ts'
import { ProgressLine } from './progress-line.ts'

/** Milliseconds between looks at how far it has come. */
const lookInterval = 300

/**
 * Has the daemon behind a control socket publish all that was written at its mount, and shows what is left. Throws `not-published`, with what could
 * not be stored: it is kept, and tried again.
 */
export async function publishAndWait(socket: string): Promise<void> {
  const ended = new AbortController()
  const publishing = askToPublish(socket).finally(() => ended.abort())
  publishing.catch(() => {})
  {
    using line = new ProgressLine()
    while (!ended.signal.aborted) {
      await delay(lookInterval, undefined, { signal: ended.signal }).catch(() => {})
      const { files = 0, bytes = 0 } = (await askMount(socket))?.writing ?? {}
      if (!ended.signal.aborted)
        line.show(() => `storing what was written: ${amountText({ count: files, bytes }, 'file')} left`)
    }
  }
  try {
    await publishing
  } catch (error) {
    const { files = 0, bytes = 0, failures = [] } = (await askMount(socket))?.writing ?? {}
    const [first] = failures
    const why = first === undefined ? messageOf(error) : `${first.snapshot}: ${first.error}`
    const left = files === 0 ? '' : ` (not stored: ${amountText({ count: files, bytes }, 'file')})`
    throw new CliError(
      'not-published',
      `not all that was written is published${left}: ${why}; it is kept, and tried again`,
      { cause: error },
    )
  }
}

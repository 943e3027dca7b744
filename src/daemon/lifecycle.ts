import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { onSignals } from '../base/signals.ts'
import { MountError } from '../fuse/mount-error.ts'
import type { Mount } from '../fuse/transport.ts'

/**
 * Unmounts on SIGTERM and SIGINT. Where something still uses the mount it is detached, and the daemon ends with its last user; a
 * second signal ends it at once. Dispose to stop listening.
 */
export function unmountOnSignals(mount: Mount, logger: Logger): Disposable {
  let asked = false
  return onSignals(['SIGTERM', 'SIGINT'], (signal) => {
    if (asked) {
      logger.warn({ signal }, 'ended at once: what is still open fails')
      process.exit(1)
    }
    asked = true
    logger.info({ signal }, 'unmounting')
    detach(mount, logger).catch((error: unknown) => {
      asked = false
      logger.error({ error: messageOf(error) }, 'could not unmount')
    })
  })
}

async function detach(mount: Mount, logger: Logger): Promise<void> {
  try {
    await mount.unmount()
  } catch (error) {
    if (!(error instanceof MountError) || error.code !== 'busy') throw error
    logger.warn(
      {},
      'the mount is in use: it is detached now, and the daemon ends when its last user has left',
    )
    await mount.unmount({ lazy: true })
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { SnapshotFilesystem } from '../filesystem/snapshot-filesystem.ts'
import type { Mount } from '../fuse/transport.ts'

export interface RefresherOptions {
  readonly filesystem: SnapshotFilesystem
  readonly mount: Mount
  /** Seconds; 0: only when asked to. */
  readonly interval: number
  readonly logger: Logger
}

/** Notices what is published while the destination is mounted, at an interval and on SIGHUP. Dispose to stop. */
export function startRefresher({ filesystem, mount, interval, logger }: RefresherOptions): Disposable {
  const stop = new AbortController()
  let running: Promise<void> | undefined

  const refresh = (): Promise<void> => {
    running ??= refreshOnce().finally(() => {
      running = undefined
    })
    return running
  }

  const refreshOnce = async (): Promise<void> => {
    for (const { folder, names } of await filesystem.refresh(stop.signal)) {
      logger.info(
        { names: names.map((name) => Buffer.from(name, 'latin1').toString()) },
        'the destination has changed',
      )
      for (const name of names) await mount.invalidateEntry(folder, name)
      await mount.invalidateInode(folder)
    }
  }

  const ignoreWhenStopped = (error: unknown): void => {
    if (!stop.signal.aborted) logger.warn({ error: messageOf(error) }, 'could not look for new snapshots')
  }

  const onHangUp = (): void => {
    refresh().catch(ignoreWhenStopped)
  }

  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await delay(interval * 1000, undefined, { signal: stop.signal, ref: false })
      await refresh().catch(ignoreWhenStopped)
    }
  }

  process.on('SIGHUP', onHangUp)
  if (interval > 0) loop().catch(ignoreWhenStopped)
  return {
    [Symbol.dispose]() {
      process.off('SIGHUP', onHangUp)
      stop.abort()
    },
  }
}

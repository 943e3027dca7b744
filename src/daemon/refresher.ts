import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { DestinationTree } from '../filesystem/destination-tree.ts'

export interface RefresherOptions {
  readonly tree: Pick<DestinationTree, 'refresh'>
  /** Seconds; 0: only when asked to. */
  readonly interval: number
  readonly logger: Logger
}

/** Notices what is published while the destination is mounted, at an interval and on SIGHUP. Dispose to stop. */
export function startRefresher({ tree, interval, logger }: RefresherOptions): Disposable {
  const stop = new AbortController()
  let last = Promise.resolve()
  let isAskedFor = false

  /** One at a time: who asks while one is under way may know of something that it has passed already. */
  const inTurn = (refresh: () => Promise<void>): Promise<void> => {
    last = last.then(refresh).catch((error: unknown) => {
      if (!stop.signal.aborted) logger.warn({ error: messageOf(error) }, 'could not look for new snapshots')
    })
    return last
  }

  const onHangUp = (): void => {
    if (isAskedFor) return
    isAskedFor = true
    inTurn(() => {
      isAskedFor = false
      return tree.refresh({ all: true, signal: stop.signal })
    })
  }

  const loop = async (): Promise<void> => {
    for (;;) {
      await delay(interval * 1000, undefined, { signal: stop.signal, ref: false })
      await inTurn(() => tree.refresh({ all: false, signal: stop.signal }))
    }
  }

  process.on('SIGHUP', onHangUp)
  // Rejects when it is stopped.
  if (interval > 0) loop().catch(() => {})
  return {
    [Symbol.dispose]() {
      process.off('SIGHUP', onHangUp)
      stop.abort()
    },
  }
}

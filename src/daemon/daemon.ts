import { join } from 'node:path'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { onSignals } from '../base/signals.ts'
import { DiskTier } from '../cache/disk-tier.ts'
import { ObjectCache } from '../cache/object-cache.ts'
import { openDestination } from '../destination/destination.ts'
import { mountOverKernel } from '../fuse/kernel-transport.ts'
import { requireDevice } from '../fuse/mount.ts'
import type { Mount, Transport } from '../fuse/transport.ts'
import { createMetrics } from '../store/with-metrics.ts'
import { startControlSocket } from './control-socket.ts'
import { errorToErrno } from './error-to-errno.ts'
import { unmountOnSignals } from './lifecycle.ts'
import type { MountOptions } from './mount-options.ts'
import { rawView } from './raw-view.ts'
import { startRefresher } from './refresher.ts'
import { snapshotsView } from './snapshots-view.ts'
import { StateFolderFaults } from './state-folder-faults.ts'
import { statusOf } from './status.ts'
import type { Writing } from './writing.ts'

/** Seconds for which the kernel remembers that a name is absent, at most. */
const longestAbsence = 60

/** Of the requests at a time: whoever waits for something else must not stand behind all that is fetched ahead. */
const prefetchShare = 7 / 8

export interface DaemonContext {
  readonly logger: Logger
  /** What whoever mounts should know before the mount answers, one line. It is in the log, too. */
  readonly tell: (notice: string) => void
  /** Called once, when the mount answers. */
  onReady(): void
}

/**
 * Builds a mount from validated options, serves it until it is unmounted by whomever, and takes it down in reverse order. Rejects
 * before `onReady` when the destination cannot be reached or the mount is refused.
 */
export async function runDaemon(
  options: MountOptions,
  { logger, tell, onReady }: DaemonContext,
): Promise<void> {
  // Before a destination is claimed that cannot be mounted.
  if (options.fuseFd === undefined) requireDevice()
  await using cleanup = new AsyncDisposableStack()
  const metrics = createMetrics()
  const destination = openDestination(options.destination, { logger, metrics })
  cleanup.defer(() => destination[Symbol.dispose]())
  const { reader, description } = destination
  const disk =
    options.diskCacheBytes > 0
      ? cleanup.use(
          await DiskTier.open({
            folder: join(options.cacheDir, 'objects'),
            maxBytes: options.diskCacheBytes,
            logger,
          }),
        )
      : undefined
  const source = cleanup.use(
    new ObjectCache({
      store: reader,
      memoryBytes: options.memoryBytes,
      prefetchConcurrency: Math.max(1, Math.floor(options.destination.store.maxConcurrency * prefetchShare)),
      disk,
      unpackFolder: join(options.cacheDir, 'unpacked'),
      logger,
    }),
  )
  let mounted: Mount | undefined
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const context = { options, reader, source, metrics, logger, tell, owner, mount: () => mounted }
  const view = cleanup.use(await (options.raw ? rawView(context) : snapshotsView(context)))
  const transport = await transportOf(options.transport)
  const faults = new StateFolderFaults()
  const mount = await transport({
    mountpoint: options.mountpoint,
    source: description,
    allowOther: options.allowOther,
    fuseFd: options.fuseFd,
    operations: view.operations,
    toErrno: (error, operation) => {
      faults.note(error)
      return errorToErrno(error, operation, logger)
    },
    // A snapshot that somebody has looked for in vain must not be hidden for longer than a refresh takes to find it.
    negativeValid: Math.min(longestAbsence, options.refreshSeconds || longestAbsence),
    logger,
  })
  mounted = mount
  cleanup.defer(() => logger.info({ mountpoint: options.mountpoint }, 'unmounted'))
  const unmounting = cleanup.use(unmountOnSignals(mount, logger))
  cleanup.use(startRefresher({ tree: view, interval: options.refreshSeconds, logger }))
  let isMounted = true
  const answers = {
    status: async () => statusOf({ options, description, mount, isMounted, metrics, source, view, faults }),
    publish: async () => {
      await view.writing?.publish()
      return {}
    },
  }
  try {
    cleanup.use(await startControlSocket(options.controlSocket, answers, logger))
  } catch (error) {
    logger.warn({ error: messageOf(error) }, '`jbfs status` will know nothing of this mount')
  }
  logger.info({ destination: description, mountpoint: options.mountpoint }, 'mounted')
  onReady()
  await mount.done
  isMounted = false
  // What is mounted there from now on is another's, and a signal has something else to end.
  unmounting[Symbol.dispose]()
  if (view.writing !== undefined) await drained(view.writing, options, logger)
}

/** After the mount is gone: what was written goes on to the store. A signal ends that, and leaves the rest to the next mount. */
async function drained(writing: Writing, { stateDir }: MountOptions, logger: Logger): Promise<void> {
  const stopped = new AbortController()
  using _ = onSignals(['SIGTERM', 'SIGINT'], () => stopped.abort())
  if (await writing.drain(stopped.signal)) return
  const { files, bytes, snapshots } = writing.snapshots.pending()
  logger.error(
    { files, bytes, snapshots, stateDir },
    'not all that was written is published: it is kept, and the next mount goes on with it',
  )
}

/** fuse-native is loaded only when it is asked for. */
async function transportOf(name: MountOptions['transport']): Promise<Transport> {
  if (name === 'kernel') return mountOverKernel
  return (await import('../fuse/libfuse-transport.ts')).mountOverLibfuse
}

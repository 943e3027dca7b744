import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { backupDirectoryOf } from '../destination/backup-directory.ts'
import { acquireDestination } from '../destination/destination.ts'
import { serverIdentity } from '../destination/server-identity.ts'
import type { CatalogEntry } from '../snapshot/catalog.ts'
import { workingFolder } from '../staging/unpublished.ts'
import { WorkingSnapshots } from '../staging/working-snapshots.ts'
import { below } from '../store/below.ts'
import type { StoreMetrics } from '../store/with-metrics.ts'
import type { MountOptions } from './mount-options.ts'

export interface WritingContext {
  readonly logger: Logger
  readonly metrics: StoreMetrics
  /** As `DaemonContext` has it. */
  readonly tell: (notice: string) => void
  readonly onPublished: (repository: string, number: number, entry: CatalogEntry | undefined) => void
}

/** What a mount for writing holds. Dispose to stop, and to give the lease back. */
export interface Writing extends AsyncDisposable {
  readonly snapshots: WorkingSnapshots
  /** Throws when this server may not write any more. */
  readonly check: () => void
  /** Publishes all there is. Rejects with `lease-lost` when this server may not write any more, whatever else has failed for that, or the first fault. */
  publish(): Promise<void>
  /** Publishes all there is, trying again until it is done, the lease is lost, or it is aborted. False: something is left, and kept. */
  drain(signal: AbortSignal): Promise<boolean>
}

/** Milliseconds between tries to publish what is left when the mount is gone. */
const drainPause = 2_000

/** Takes the lease of the backup directory, and what an earlier mount has left unpublished. Rejects as `acquireDestination` does. */
export async function startWriting(
  options: MountOptions,
  { logger, metrics, tell, onPublished }: WritingContext,
): Promise<Writing> {
  await using opening = new AsyncDisposableStack()
  const { destination, stateDir, writer } = options
  const name = destination.kind === 's3' ? destination.named?.owner : undefined
  const owner = await serverIdentity(stateDir, name)
  const owned = await backupDirectoryOf({ destination, repository: '' }, { logger })
  const acquired = opening.use(
    await acquireDestination(owned.destination, {
      logger,
      metrics,
      owner,
      program: `${writer} mount`,
      onWait: tell,
    }),
  )
  const store = below(acquired.store, owned.repository)
  const snapshots = opening.use(
    await WorkingSnapshots.open({
      folder: workingFolder(stateDir, folderNameOf(store.description), store.description, options),
      store,
      cacheDir: options.cacheDir,
      concurrency: destination.store.maxConcurrency,
      stagingBytes: options.stagingBytes,
      logger,
      writer,
      onPublished,
    }),
  )
  const opened = opening.move()
  const { lease } = acquired
  return {
    snapshots,
    check: () => lease.check(),
    async publish() {
      try {
        await snapshots.publish()
      } catch (error) {
        lease.check()
        throw error
      }
    },
    async drain(signal) {
      for (;;) {
        try {
          await snapshots.publish({ signal })
          return true
        } catch (error) {
          if (signal.aborted || lease.signal.aborted) return false
          const { files, bytes } = snapshots.pending()
          logger.warn({ error: messageOf(error), files, bytes }, 'not all is published yet; trying again')
          await delay(drainPause, undefined, { signal }).catch(() => {})
        }
      }
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Of each destination a folder of its own, however long its name is. */
function folderNameOf(description: string): string {
  return createHash('sha256').update(description).digest('hex').slice(0, 16)
}

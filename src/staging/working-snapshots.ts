import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import type { Abortable } from '../base/abort.ts'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { indexKeys, manifestKey, snapshotName } from '../destination/layout.ts'
import { type CatalogEntry, readSnapshot } from '../snapshot/catalog.ts'
import { SnapshotError } from '../snapshot/errors.ts'
import { keepSnapshotIndex } from '../snapshot/index-file.ts'
import type { MadeInode, WritableSnapshots } from '../snapshot/writable-tree.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { type PendingTotals, pendingTotals } from './pending-totals.ts'
import { defaultPublishTimes, type PublishTimes, PublishWhenIdle } from './publish-when-idle.ts'
import { RepositoryContents } from './repository-contents.ts'
import { stagingFault } from './staging-fault.ts'
import { type StagingResources, stagingResources } from './staging-resources.ts'
import { StagingRoom } from './staging-room.ts'
import { WorkingSnapshot, type WorkingSnapshotOptions } from './working-snapshot.ts'

export interface WorkingSnapshotsOptions {
  /** Of this destination alone. */
  readonly folder: string
  readonly store: ObjectStore
  /** Indexes of published snapshots are kept there. */
  readonly cacheDir: string
  /** Uploads at a time. */
  readonly concurrency: number
  /** Bytes of what is not in the store yet. */
  readonly stagingBytes: number
  readonly logger: Logger
  /** As manifests name it. */
  readonly writer: string
  /** Called after each publish, and with undefined when one was removed. */
  readonly onPublished: (repository: string, number: number, entry: CatalogEntry | undefined) => void
  readonly times?: PublishTimes | undefined
}

/** Objects that are looked for: one may be damaged, and not all. */
const probes = 8

/** Of the folders that are being removed. */
const goneSuffix = '.gone'

/** The snapshots of a destination that are being changed, in the state directory; publishes them when they are left alone for a while. */
export class WorkingSnapshots implements WritableSnapshots, AsyncDisposable {
  readonly #options: WorkingSnapshotsOptions
  readonly #snapshots = new Map<string, WorkingSnapshot>()
  readonly #opening = new Map<string, Promise<WorkingSnapshot>>()
  readonly #resources: StagingResources
  readonly #contents: RepositoryContents
  readonly #closed = new AbortController()
  #lastFolder = 0

  private constructor(options: WorkingSnapshotsOptions) {
    this.#options = options
    const { concurrency, stagingBytes, folder } = options
    const room = new StagingRoom(stagingBytes, () => freeBytes(folder))
    this.#resources = stagingResources(concurrency, room)
    const { ids } = this.#resources
    this.#contents = new RepositoryContents({ ...options, ids, signal: this.#closed.signal })
  }

  /** Takes up again what an earlier process has left in the folder. */
  static async open(options: WorkingSnapshotsOptions): Promise<WorkingSnapshots> {
    const snapshots = new WorkingSnapshots(options)
    mkdirSync(options.folder, { recursive: true, mode: 0o700 })
    try {
      const names = readdirSync(options.folder)
      for (const name of names.filter((name) => name.endsWith(goneSuffix)))
        rmSync(join(options.folder, name), { recursive: true, force: true })
      for (const name of names.filter((name) => /^\d+$/.test(name))) {
        snapshots.#lastFolder = Math.max(snapshots.#lastFolder, Number(name))
        await snapshots.#recover(join(options.folder, name))
      }
    } catch (error) {
      await snapshots[Symbol.asyncDispose]()
      throw error
    }
    snapshots.#publishWhenIdle()
    return snapshots
  }

  get(repository: string, number: number): WorkingSnapshot | undefined {
    const working = this.#snapshots.get(keyOf(repository, number))
    // While it gets another number it has the places of both.
    return working?.number === number ? working : undefined
  }

  numbers(repository: string): readonly number[] {
    return [...this.#all].filter((working) => working.repository === repository).map(({ number }) => number)
  }

  /** Prefixes of repositories with snapshots that were never published: nothing in the store speaks of them. */
  repositories(): string[] {
    return [...new Set([...this.#all].map(({ repository }) => repository))]
  }

  begin(repository: string, number: number, top: MadeInode): WorkingSnapshot {
    const snapshot = this.#make(repository, (options) =>
      WorkingSnapshot.begin(options, { repository, number, top }),
    )
    this.#snapshots.set(keyOf(repository, number), snapshot)
    return snapshot
  }

  async change(
    repository: string,
    entry: CatalogEntry,
    { signal }: Abortable = {},
  ): Promise<WorkingSnapshot> {
    const key = keyOf(repository, entry.number)
    const present = this.#snapshots.get(key) ?? this.#opening.get(key)
    if (present !== undefined) return present
    const opening = this.#change(repository, entry, signal).finally(() => this.#opening.delete(key))
    this.#opening.set(key, opening)
    return opening
  }

  async renumber(repository: string, entry: CatalogEntry, number: number, options: Abortable): Promise<void> {
    const working = await this.change(repository, entry, options)
    await this.#settle(working, options)
    // Under both numbers until it is done: whoever lists the repository finds this one.
    this.#snapshots.set(keyOf(repository, number), working)
    try {
      await working.publishing.renumber(number, options)
    } finally {
      for (const either of [entry.number, number])
        if (either !== working.number) this.#snapshots.delete(keyOf(repository, either))
    }
    // It is done, as what is left of it is tried again: who did it once more would find the new number taken.
    await this.#tryLeaveFormer(working)
  }

  async remove(repository: string, entry: CatalogEntry): Promise<void> {
    const { store, onPublished } = this.#options
    const key = keyOf(repository, entry.number)
    const working = this.#snapshots.get(key)
    if (working !== undefined) await this.#settle(working)
    // Nobody is to publish it meanwhile.
    this.#snapshots.delete(key)
    try {
      // The manifest first: without it nobody looks for the index.
      await working?.publishing.retire()
      if (entry.manifest !== undefined || working?.publishing.baseEtag !== undefined)
        await store.delete([manifestKey(repository, entry.number)])
      await store.delete([...indexKeys(repository, entry.number)])
    } catch (error) {
      working?.publishing.reinstate()
      if (working !== undefined) this.#snapshots.set(key, working)
      throw error
    }
    if (working !== undefined) await this.#discard(working)
    onPublished(repository, entry.number, undefined)
  }

  pending(): PendingTotals {
    return pendingTotals(this.#all)
  }

  /** Publishes all that has changed, each under one number. Rejects with the first fault, after all were tried. */
  async publish(options: Abortable = {}): Promise<void> {
    const results = await Promise.allSettled(
      [...this.#all].map(async (snapshot) => {
        await snapshot.publish(options)
        await this.#leaveFormer(snapshot, options)
      }),
    )
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  /** Stops; what is published leaves nothing behind, all else stays for the next mount. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort()
    for (const snapshot of this.#all) {
      if (snapshot.publishing.isDone) await this.#discard(snapshot)
      else await snapshot[Symbol.asyncDispose]()
    }
    this.#snapshots.clear()
    await this.#resources.hashes[Symbol.asyncDispose]()
    await this.#resources.checkpoints[Symbol.asyncDispose]()
  }

  /** Has a snapshot that was given another number published under it, and under no other. */
  async #settle(working: WorkingSnapshot, options: Abortable = {}): Promise<void> {
    if (working.publishing.former === undefined) return
    await working.publish(options)
    await this.#leaveFormer(working, options)
  }

  /** Deletes what a snapshot that was given another number is still published as, unless somebody makes something else of it. */
  async #leaveFormer(working: WorkingSnapshot, options: Abortable = {}): Promise<void> {
    const { store, onPublished, logger } = this.#options
    const { repository } = working
    await working.publishing.leaveFormer(async ({ number, etag }) => {
      const key = keyOf(repository, number)
      const present = await readSnapshot(store, repository, number)
      if (
        this.#snapshots.has(key) ||
        this.#opening.has(key) ||
        (present !== undefined && present.manifestEtag !== etag)
      ) {
        logger.warn(
          { snapshot: key },
          'a snapshot that has another number is changed under the old one: it stays there, too',
        )
        return
      }
      // The manifest first: without it nobody looks for the index.
      if (present !== undefined) await store.delete([manifestKey(repository, number)])
      await store.delete([...indexKeys(repository, number)])
      onPublished(repository, number, undefined)
    }, options)
  }

  async #tryLeaveFormer(working: WorkingSnapshot): Promise<void> {
    const { former } = working.publishing
    if (former === undefined) return
    try {
      await this.#leaveFormer(working, { signal: this.#closed.signal })
    } catch (error) {
      if (this.#closed.signal.aborted) return
      const { repository } = working
      this.#options.logger.warn(
        { snapshot: working.name, former: keyOf(repository, former.number), error: messageOf(error) },
        'a snapshot that has another number is still there under the old one; trying again',
      )
    }
  }

  async #discard(snapshot: WorkingSnapshot): Promise<void> {
    await snapshot[Symbol.asyncDispose]()
    // At once, or not: half of it could not be told from what is damaged.
    const gone = snapshot.folder + goneSuffix
    if (existsSync(snapshot.folder)) renameSync(snapshot.folder, gone)
    rmSync(gone, { recursive: true, force: true })
  }

  async #change(
    repository: string,
    entry: CatalogEntry,
    signal: AbortSignal | undefined,
  ): Promise<WorkingSnapshot> {
    const { store, cacheDir, logger } = this.#options
    const index = await keepSnapshotIndex({ store, repository, entry, cacheDir, logger, signal })
    const snapshot = this.#make(repository, (options) =>
      WorkingSnapshot.change(options, { repository, entry, index }),
    )
    this.#snapshots.set(keyOf(repository, entry.number), snapshot)
    return snapshot
  }

  async #recover(folder: string): Promise<void> {
    const { store, logger } = this.#options
    // Which repository it is of, only the folder itself knows.
    const snapshot = await WorkingSnapshot.recover(folder, (repository) =>
      this.#optionsOf(repository, folder),
    )
    if (snapshot === undefined) {
      logger.warn({ folder }, 'a working snapshot that was never begun whole is removed')
      rmSync(folder, { recursive: true, force: true })
      return
    }
    await using opening = new AsyncDisposableStack()
    opening.use(snapshot)
    const { repository, number } = snapshot
    const published = await readSnapshot(store, repository, number)
    const isGone = published === undefined && snapshot.publishing.baseEtag !== undefined
    if (isGone && (isEmpty(snapshot) || snapshot.publishing.isDone)) {
      // Its removal was interrupted, or somebody else has removed it.
      if (isEmpty(snapshot)) await store.delete([...indexKeys(repository, number)])
      opening.move()
      await this.#discard(snapshot)
      return
    }
    if (isGone) throw elsewhere(snapshot, folder, 'it was published, and is not there any more')
    if (!snapshot.publishing.meets(published))
      throw new SnapshotError(
        'snapshot-exists',
        `${repository}${snapshotName(number)} was published by somebody else while changes of this server were waiting in ${folder}: look at both, and move that folder away`,
      )
    await this.#refuseElsewhere(snapshot, folder)
    opening.move()
    const { files, bytes } = pendingTotals([snapshot])
    logger.info({ snapshot: snapshot.name, files, bytes }, 'changes of an earlier mount are taken up again')
    this.#snapshots.set(keyOf(repository, number), snapshot)
  }

  /** Two servers may have buckets of one name: what has gone to the one must not be published on the other, where its objects are missing. */
  async #refuseElsewhere(snapshot: WorkingSnapshot, folder: string): Promise<void> {
    const { tree, publishing } = snapshot
    // Of others the manifest was compared.
    if (publishing.baseEtag !== undefined) return
    const files = tree.filesAfter(tree.root, probes)
    const found = await Promise.all(files.map(({ object }) => object && this.#options.store.head(object.key)))
    if (files.length === 0 || found.some((metadata) => metadata !== undefined)) return
    throw elsewhere(snapshot, folder, 'what was stored of it is not there')
  }

  /** One that is given another number is there under both. */
  get #all(): ReadonlySet<WorkingSnapshot> {
    return new Set(this.#snapshots.values())
  }

  #publishWhenIdle(): void {
    const { times = defaultPublishTimes, logger } = this.#options
    const publishing = new PublishWhenIdle({
      snapshots: () => this.#all,
      leaveFormer: (working) => this.#tryLeaveFormer(working),
      times,
      logger,
      signal: this.#closed.signal,
    })
    void publishing.run()
  }

  /** In a folder of its own, of which nothing stays when it cannot be made. */
  #make(repository: string, make: (options: WorkingSnapshotOptions) => WorkingSnapshot): WorkingSnapshot {
    const folder = join(this.#options.folder, String(++this.#lastFolder))
    try {
      return make(this.#optionsOf(repository, folder))
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      throw stagingFault(error)
    }
  }

  #optionsOf(repository: string, folder: string): WorkingSnapshotOptions {
    const { store, logger, writer, onPublished } = this.#options
    return {
      folder,
      store,
      contents: () => this.#contents.of(repository),
      resources: this.#resources,
      logger,
      writer,
      onPublished: (entry) => onPublished(repository, entry.number, entry),
    }
  }
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

function keyOf(repository: string, number: number): string {
  return repository + snapshotName(number)
}

function isEmpty({ tree }: WorkingSnapshot): boolean {
  for (const _ of tree.entries(tree.root, 0)) return false
  return true
}

function elsewhere({ name }: WorkingSnapshot, folder: string, what: string): SnapshotError {
  return new SnapshotError(
    'elsewhere',
    `changes of ${name} wait to be published, and ${what}: is this the destination that they were written to, and its disk mounted? If so, look at ${folder}, and move it away`,
  )
}

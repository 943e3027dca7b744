import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Abortable } from '../base/abort.ts'
import { codeOf, messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { snapshotName } from '../destination/layout.ts'
import type { CatalogEntry } from '../snapshot/catalog.ts'
import type { ContentStore } from '../snapshot/content-store.ts'
import { ChangeError, SnapshotError } from '../snapshot/errors.ts'
import { indexes, rootIno, tables } from '../snapshot/schema.ts'
import type { FileName, Ino, OwnInode } from '../snapshot/tree.ts'
import type {
  AllocateKind,
  ForeignInode,
  MadeInode,
  MaybePromise,
  SharedContent,
  StagedContent,
  WritableSnapshot,
} from '../snapshot/writable-tree.ts'
import type { ByteRange, ObjectStore } from '../store/object-store.ts'
import { keepManifest } from './manifest-files.ts'
import { SnapshotPublishing } from './snapshot-publishing.ts'
import { StagedContents } from './staged-contents.ts'
import { stagingFault } from './staging-fault.ts'
import type { StagingResources } from './staging-resources.ts'
import { folderSize } from './tree-rows.ts'
import {
  contentsName,
  createWorkingTables,
  databaseName,
  readWorkingState,
  type WorkingState,
  workingVersion,
} from './working-schema.ts'
import { WorkingTree } from './working-tree.ts'
import { WriteAheadLog } from './write-ahead-log.ts'

export interface WorkingSnapshotOptions {
  /** Of this snapshot alone. */
  readonly folder: string
  readonly store: ObjectStore
  readonly contents: () => Promise<ContentStore>
  readonly resources: StagingResources
  readonly logger: Logger
  /** As the manifest names it. */
  readonly writer: string
  /** Called after each publish. */
  readonly onPublished: (entry: CatalogEntry) => void
}

/**
 * A snapshot that is being changed, in a folder of the state directory: its tree in a database, the contents that are not in the store beside it. Both are the
 * journal: whoever opens the folder after a crash has all that was acknowledged.
 */
export class WorkingSnapshot implements WritableSnapshot, AsyncDisposable {
  readonly repository: string
  readonly tree: WorkingTree
  readonly publishing: SnapshotPublishing
  readonly #options: WorkingSnapshotOptions
  readonly #staged: StagedContents
  readonly #log: WriteAheadLog
  /** Inodes without a name that the kernel knows no more, while their content is still on its way. */
  readonly #forgotten = new Set<Ino>()

  private constructor(options: WorkingSnapshotOptions, database: DatabaseSync) {
    const state = readWorkingState(database)
    if (state === undefined) throw new Error(`${options.folder} holds no working snapshot of this version`)
    this.#options = options
    this.repository = state.repository
    const { store, contents, resources, logger } = options
    const path = join(options.folder, databaseName)
    this.#log = new WriteAheadLog(database, { path, thread: resources.checkpoints, logger })
    this.tree = new WorkingTree(database, state, this.#log)
    const { tree } = this
    const { repository, number } = state
    this.publishing = new SnapshotPublishing({
      ...options,
      repository,
      number,
      tree,
      drained: (then) => this.#staged.drained(then),
    })
    const folder = join(options.folder, contentsName)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.#staged = new StagedContents({
      ...resources,
      tree,
      folder,
      store,
      repository,
      contents,
      logger,
      onReleased: (ino) => {
        if (this.#forgotten.has(ino)) this.#remove(ino)
      },
    })
  }

  /** Begins an empty one. */
  static begin(
    options: WorkingSnapshotOptions,
    { repository, number, top }: { repository: string; number: number; top: MadeInode },
  ): WorkingSnapshot {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 })
    const now = Math.floor(Date.now() / 1000)
    // One that is begun is to be published, empty though it is.
    const state = { repository, number, created: now, baseEtag: null, changes: 1 }
    return WorkingSnapshot.#finish(options, state, (database) => {
      for (const sql of [...tables, ...indexes]) database.exec(sql)
      database
        .prepare('INSERT INTO inode VALUES (?, ?, 2, ?, ?, 0, ?, ?, 0, ?, 0, NULL, NULL, 0, NULL)')
        .run(rootIno, top.mode, top.uid, top.gid, folderSize, now, now)
    })
  }

  /** Makes one of a published state; `index`: its file index, which is copied. */
  static change(
    options: WorkingSnapshotOptions,
    { repository, entry, index }: { repository: string; entry: CatalogEntry; index: string },
  ): WorkingSnapshot {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 })
    keepManifest(options.folder, entry.manifest?.bytes)
    const path = join(options.folder, databaseName)
    // Whole, or not there: what is there and cannot be read is damaged.
    writeFileSync(`${path}.copy`, readFileSync(index), { mode: 0o600, flush: true })
    renameSync(`${path}.copy`, path)
    return WorkingSnapshot.#finish(options, {
      repository,
      number: entry.number,
      created: entry.manifest?.created ?? 0,
      baseEtag: entry.manifestEtag,
      changes: 0,
    })
  }

  /**
   * Opens what an earlier process has left in `folder`; undefined when that is nothing that was finished. `optionsOf`: what it needs, once its
   * repository is known. Rejects with `SnapshotError` when there is something that cannot be read.
   */
  static async recover(
    folder: string,
    optionsOf: (repository: string) => WorkingSnapshotOptions,
  ): Promise<WorkingSnapshot | undefined> {
    const path = join(folder, databaseName)
    const database = existsSync(path) ? new DatabaseSync(path) : undefined
    let state: WorkingState | undefined
    let snapshot: WorkingSnapshot | undefined
    try {
      if (database !== undefined) {
        settings(database)
        state = readWorkingState(database)
      }
      if (database === undefined || state === undefined) {
        if (hasContents(folder)) throw new SnapshotError('bad-index', 'its database is empty')
        database?.close()
        return undefined
      }
      const options = optionsOf(state.repository)
      // What had lost its last name, and was held by whoever had it open.
      database.exec('DELETE FROM staged WHERE ino IN (SELECT ino FROM inode WHERE nlink = 0)')
      for (const table of ['xattr', 'extent'])
        database.exec(`DELETE FROM ${table} WHERE ino IN (SELECT ino FROM inode WHERE nlink = 0)`)
      database.exec('DELETE FROM inode WHERE nlink = 0')
      snapshot = new WorkingSnapshot(options, database)
      snapshot.#removeStrays()
      snapshot.#staged.recover()
      return snapshot
    } catch (error) {
      // What was taken up already would go on being sent.
      await snapshot?.[Symbol.asyncDispose]()
      if (database?.isOpen) database.close()
      const fault = stagingFault(error)
      // With more room it can be read.
      throw codeOf(fault) === 'staging-full' ? fault : unreadable(folder, error)
    }
  }

  /** `fill`: what is still missing in the database. */
  static #finish(
    options: WorkingSnapshotOptions,
    {
      repository,
      number,
      created,
      baseEtag,
      changes,
    }: {
      repository: string
      number: number
      created: number
      baseEtag: string | null
      changes: number
    },
    fill: (database: DatabaseSync) => void = () => {},
  ): WorkingSnapshot {
    using opening = new DisposableStack()
    const database = opening.use(new DatabaseSync(join(options.folder, databaseName)))
    settings(database)
    // Whole, or not there; before it is in a log each statement would wait for the disk four times.
    database.exec('BEGIN')
    fill(database)
    createWorkingTables(database)
    database
      .prepare('INSERT INTO working VALUES (?, ?, ?, ?, ?, ?, 0)')
      .run(workingVersion, repository, number, created, baseEtag, changes)
    database.exec('COMMIT')
    const snapshot = new WorkingSnapshot(options, database)
    // Contents may come to the disk by themselves, and are worth nothing without a database.
    snapshot.#log.synced().catch(() => {})
    opening.move()
    return snapshot
  }

  /** Its own, in the state directory. */
  get folder(): string {
    return this.#options.folder
  }

  /** `job/account/snap.1`: a prefix of its keys, and what people call it. */
  get name(): string {
    return this.repository + snapshotName(this.number)
  }

  get number(): number {
    return this.publishing.number
  }

  get isPublished(): boolean {
    return this.publishing.isPublished
  }

  /** Files that are not in the store, with their bytes, and what keeps them from it. */
  pending(): Iterable<{ ino: Ino; bytes: number; failure: Error | undefined }> {
    return this.#staged.pending()
  }

  adopt(
    parent: Ino,
    name: FileName,
    { inode, extents, xattrs, staged }: ForeignInode,
  ): MaybePromise<OwnInode> {
    if (staged === undefined) return this.tree.adopt(parent, name, inode, extents, xattrs)
    if (this.tree.lookup(parent, name) !== undefined) throw new ChangeError('name-taken')
    // It has a name when it has its bytes: nobody finds it half copied, after a crash either.
    const { ino } = this.tree.adopt(parent, undefined, inode, extents, xattrs)
    this.#staged.opened(ino, false)
    try {
      this.#staged.copy(ino, staged, inode.size)
      // The copying is no change of the content.
      this.tree.setAttributes(ino, { mtime: inode.mtime })
      return this.tree.link(ino, parent, name)
    } finally {
      this.#staged.closed(ino, false)
    }
  }

  share(ino: Ino, content: SharedContent): boolean {
    const inode = this.tree.inode(ino)
    if (inode === undefined || inode.size > 0 || this.#staged.staged(ino) !== undefined) return false
    this.tree.stored(ino, content)
    this.tree.wrote(ino, { size: content.size })
    return true
  }

  opened(ino: Ino, writes: boolean): void {
    this.#staged.opened(ino, writes)
  }

  closed(ino: Ino, writes: boolean): void {
    this.#staged.closed(ino, writes)
  }

  unlinked(ino: Ino): void {
    this.#staged.unlinked(ino)
  }

  forgotten(ino: Ino): void {
    if (!this.tree.isNameless(ino)) return
    if (this.#staged.isHeld(ino)) this.#forgotten.add(ino)
    else this.#remove(ino)
  }

  #remove(ino: Ino): void {
    this.#forgotten.delete(ino)
    try {
      this.tree.remove(ino)
    } catch (error) {
      // The next mount does it.
      this.#options.logger.warn(
        { inode: ino, error: messageOf(error) },
        'what nobody can reach stays for now',
      )
    }
  }

  stagedContent(ino: Ino): StagedContent | undefined {
    return this.#staged.staged(ino)
  }

  write(
    ino: Ino,
    offset: number,
    bytes: Buffer,
    clearSetuid: boolean,
    options?: Abortable,
  ): MaybePromise<void> {
    return this.#staged.write(ino, offset, bytes, clearSetuid, options)
  }

  resize(ino: Ino, size: number, clearSetuid: boolean, options?: Abortable): MaybePromise<void> {
    return this.#staged.resize(ino, size, clearSetuid, options)
  }

  allocate(ino: Ino, range: ByteRange, how: AllocateKind, options?: Abortable): MaybePromise<void> {
    return this.#staged.allocate(ino, range, how, options)
  }

  failureOf(ino: Ino): Error | undefined {
    return this.#staged.failureOf(ino)
  }

  stateOf(ino: Ino): 'staged' | 'uploading' | 'stored' | 'published' {
    const state = this.#staged.stateOf(ino)
    return state === 'stored' && this.isPublished ? 'published' : state
  }

  async fsync(ino: Ino, options: Abortable): Promise<void> {
    await this.#staged.sync(ino)
    await this.tree.synced()
    await this.#staged.store(ino, options)
    await this.tree.synced()
  }

  async store(ino: Ino, options: Abortable): Promise<void> {
    await this.#staged.store(ino, options)
  }

  /** Whether a file is being sent while it is written: a publish would have to end its upload. */
  get isGrowing(): boolean {
    return this.#staged.isGrowing
  }

  async publish(options: Abortable): Promise<void> {
    await this.publishing.publish(options)
  }

  /** Stops what is under way; all stays in its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#staged[Symbol.asyncDispose]()
    await this.publishing.ended()
    await this.#log[Symbol.asyncDispose]()
    this.tree[Symbol.dispose]()
  }

  /** Contents that the tree does not speak of. */
  #removeStrays(): void {
    const folder = join(this.#options.folder, contentsName)
    const staged = new Set(this.tree.staged().map(String))
    for (const name of readdirSync(folder)) if (!staged.has(name)) rmSync(join(folder, name), { force: true })
  }
}

function hasContents(folder: string): boolean {
  const contents = join(folder, contentsName)
  return existsSync(contents) && readdirSync(contents).length > 0
}

function unreadable(folder: string, cause: unknown): SnapshotError {
  const code = cause instanceof SnapshotError ? cause.code : 'bad-index'
  return new SnapshotError(
    code,
    `${folder} holds changes of an earlier mount that cannot be taken up again (${messageOf(cause)}): look at it, and move it away`,
    { cause },
  )
}

/** Milliseconds that a change waits for whoever else looks at the database: `jbfs status` as it opens it, or the thread that carries its log over. */
const longestWait = 5_000

function settings(database: DatabaseSync): void {
  database.exec(`PRAGMA busy_timeout = ${longestWait}`)
  // NORMAL: what a commit has written survives the process, and with `WriteAheadLog.sync` the system.
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16384',
  )
}

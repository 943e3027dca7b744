import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Abortable, orAborted } from '../base/abort.ts'
import { codeOf, messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { type CatalogEntry, readSnapshot } from '../snapshot/catalog.ts'
import type { ContentStore } from '../snapshot/content-store.ts'
import { ChangeError, SnapshotError } from '../snapshot/errors.ts'
import { type Manifest, manifestMembers, parseManifest } from '../snapshot/manifest.ts'
import { publishSnapshot } from '../snapshot/publish.ts'
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
import { writeIndex } from '../snapshot/write-index.ts'
import type { ByteRange, ObjectStore } from '../store/object-store.ts'
import { type FormerNumber, forgetFormer, formerIn, noteFormer } from './former-number.ts'
import { itemsOf, rootAttributesOf } from './manifest-facts.ts'
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

const manifestName = 'manifest.json'
/** The manifest that is being put: after a crash it may, or may not, be in the store. */
const putName = 'manifest.put'

/**
 * A snapshot that is being changed, in a folder of the state directory: its tree in a database, the contents that are not in the store beside it. Both are the
 * journal: whoever opens the folder after a crash has all that was acknowledged.
 */
export class WorkingSnapshot implements WritableSnapshot, AsyncDisposable {
  readonly repository: string
  #number: number
  readonly tree: WorkingTree
  readonly #options: WorkingSnapshotOptions
  readonly #staged: StagedContents
  readonly #log: WriteAheadLog
  /** Inodes without a name that the kernel knows no more, while their content is still on its way. */
  readonly #forgotten = new Set<Ino>()
  #publishing: Promise<void> | undefined
  #isRetired = false
  #publishFailure: unknown
  #former: FormerNumber | undefined
  #formerFailure: unknown

  private constructor(options: WorkingSnapshotOptions, database: DatabaseSync) {
    const state = readWorkingState(database)
    if (state === undefined) throw new Error(`${options.folder} holds no working snapshot of this version`)
    this.#options = options
    this.repository = state.repository
    this.#number = state.number
    this.#former = formerIn(options.folder, state.number)
    const { store, contents, resources, logger } = options
    const path = join(options.folder, databaseName)
    this.#log = new WriteAheadLog(database, { path, thread: resources.checkpoints, logger })
    this.tree = new WorkingTree(database, state, () => this.#log.committed())
    const folder = join(options.folder, contentsName)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const { tree, repository } = this
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
    const database = new DatabaseSync(join(options.folder, databaseName))
    for (const sql of [...tables, ...indexes]) database.exec(sql)
    const now = Math.floor(Date.now() / 1000)
    database
      .prepare('INSERT INTO inode VALUES (?, ?, 2, ?, ?, 0, ?, ?, 0, ?, 0, NULL, NULL, 0, NULL)')
      .run(rootIno, top.mode, top.uid, top.gid, folderSize, now, now)
    // One that is begun is to be published, empty though it is.
    return WorkingSnapshot.#finish(options, database, {
      repository,
      number,
      created: now,
      baseEtag: null,
      changes: 1,
    })
  }

  /** Makes one of a published state; `index`: its file index, which is copied. */
  static change(
    options: WorkingSnapshotOptions,
    { repository, entry, index }: { repository: string; entry: CatalogEntry; index: string },
  ): WorkingSnapshot {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 })
    writeFileSync(join(options.folder, manifestName), entry.manifest?.bytes ?? '', { mode: 0o600 })
    const path = join(options.folder, databaseName)
    // Whole, or not there: what is there and cannot be read is damaged.
    writeFileSync(`${path}.copy`, readFileSync(index), { mode: 0o600, flush: true })
    renameSync(`${path}.copy`, path)
    return WorkingSnapshot.#finish(options, new DatabaseSync(path), {
      repository,
      number: entry.number,
      created: entry.manifest?.created ?? 0,
      baseEtag: entry.manifestEtag,
      changes: 0,
    })
  }

  /**
   * Opens what an earlier process has left in `folder`; undefined when that is nothing that was finished. `optionsOf`: what it needs, once its
   * repository is known. Throws `SnapshotError` when there is something that cannot be read.
   */
  static recover(
    folder: string,
    optionsOf: (repository: string) => WorkingSnapshotOptions,
  ): WorkingSnapshot | undefined {
    const path = join(folder, databaseName)
    const database = existsSync(path) ? new DatabaseSync(path) : undefined
    let state: WorkingState | undefined
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
      const snapshot = new WorkingSnapshot(options, database)
      snapshot.#removeStrays()
      snapshot.#staged.recover()
      return snapshot
    } catch (error) {
      if (database?.isOpen) database.close()
      const fault = stagingFault(error)
      // With more room it can be read.
      throw codeOf(fault) === 'staging-full' ? fault : unreadable(folder, error)
    }
  }

  static #finish(
    options: WorkingSnapshotOptions,
    database: DatabaseSync,
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
  ): WorkingSnapshot {
    settings(database)
    createWorkingTables(database)
    database
      .prepare('INSERT INTO working VALUES (?, ?, ?, ?, ?, ?, 0)')
      .run(workingVersion, repository, number, created, baseEtag, changes)
    return new WorkingSnapshot(options, database)
  }

  /** Its own, in the state directory. */
  get folder(): string {
    return this.#options.folder
  }

  get number(): number {
    return this.#number
  }

  get isPublished(): boolean {
    const { baseEtag, changes, published } = this.tree.state
    return baseEtag !== undefined && changes === published
  }

  /** What it was published as before it got its number, while that is still to be deleted. */
  get former(): FormerNumber | undefined {
    return this.#former
  }

  /** What deleting it failed with last; undefined when it did not. */
  get formerFailure(): unknown {
    return this.#formerFailure
  }

  /** Whether it need not be kept here: all is published, and under its number alone. */
  get isDone(): boolean {
    return this.isPublished && this.#former === undefined
  }

  get baseEtag(): string | undefined {
    return this.tree.state.baseEtag
  }

  /** Files that are not in the store, with their bytes, and what keeps them from it. */
  pending(): Iterable<{ ino: Ino; bytes: number; failure: Error | undefined }> {
    return this.#staged.pending()
  }

  /**
   * Compares what it was made of with what is published (undefined: nothing) after a crash, as one that came in the middle of a publish may have hidden its end from
   * us. False when somebody else has published another state: then this one cannot be.
   */
  meets(published: CatalogEntry | undefined): boolean {
    const [put, kept] = [putName, manifestName].map((name) => join(this.#options.folder, name)) as [
      string,
      string,
    ]
    const isPut =
      published?.manifest !== undefined && readIfThere(put)?.equals(published.manifest.bytes) === true
    if (published?.manifestEtag !== this.baseEtag) {
      if (published === undefined || !isPut) return false
      this.tree.published(this.tree.state.published, published.manifestEtag)
    }
    if (isPut) renameSync(put, kept)
    else rmSync(put, { force: true })
    return true
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
    this.#staged.sync(ino)
    this.tree.sync()
    await this.#staged.store(ino, options)
    this.tree.sync()
  }

  async store(ino: Ino, options: Abortable): Promise<void> {
    await this.#staged.store(ino, options)
  }

  /** Whether a file is being sent while it is written: a publish would have to end its upload. */
  get isGrowing(): boolean {
    return this.#staged.isGrowing
  }

  /** What the last publish failed with; undefined when it did not. */
  get publishFailure(): unknown {
    return this.#publishFailure
  }

  async publish(options: Abortable): Promise<void> {
    // One that is under way may have begun before what the caller has done.
    await this.#alone(() => this.#publishChanges(), options)
  }

  /** Publishes it under another number, of which there is no snapshot; what is published under the old one stays until `leaveFormer`. */
  async renumber(number: number, options: Abortable): Promise<void> {
    await this.publish(options)
    // To its end: nobody could tell of which number one is that goes on unattended.
    await this.#alone(() => this.#publishAs(number), {})
  }

  /** Deletes by `remove` what it was published as before, as soon as it is published under its number. */
  async leaveFormer(remove: (former: FormerNumber) => Promise<void>, options: Abortable = {}): Promise<void> {
    if (this.#former === undefined) return
    await this.#alone(async () => {
      if (this.#former === undefined || this.baseEtag === undefined) return
      try {
        await remove(this.#former)
      } catch (error) {
        this.#formerFailure = error
        throw error
      }
      this.#forgetFormer()
    }, options)
  }

  #forgetFormer(): void {
    this.#former = undefined
    this.#formerFailure = undefined
    forgetFormer(this.folder)
  }

  /** What publishes comes one after the other. */
  async #alone(work: () => Promise<void>, { signal }: Abortable): Promise<void> {
    while (this.#publishing !== undefined)
      await orAborted(
        this.#publishing.catch(() => {}),
        signal,
      )
    this.#publishing = work().finally(() => {
      this.#publishing = undefined
    })
    await orAborted(this.#publishing, signal)
  }

  async #publishChanges(): Promise<void> {
    if (this.#isRetired) throw new ChangeError('no-name')
    if (!this.isPublished) await this.#publish()
  }

  async #publishAs(number: number): Promise<void> {
    await this.#publishChanges()
    // It is published: it has one.
    const before = { number: this.#number, etag: this.baseEtag as string }
    noteFormer(this.folder, before)
    this.#setNumber(number, undefined)
    this.#former = before
    try {
      await this.#publish()
    } catch (error) {
      // It may have been done although it seemed to fail.
      const published = await readSnapshot(this.#options.store, this.repository, number).catch(
        () => undefined,
      )
      if (published !== undefined && this.meets(published)) return
      this.#setNumber(before.number, before.etag)
      this.#forgetFormer()
      throw error
    }
  }

  /** It is being removed: resolves when no publish is under way, and none begins any more. */
  async retire(): Promise<void> {
    this.#isRetired = true
    await this.#publishing?.catch(() => {})
  }

  /** Its removal has failed. */
  reinstate(): void {
    this.#isRetired = false
  }

  /** Stops what is under way; all stays in its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#staged[Symbol.asyncDispose]()
    await this.#publishing?.catch(() => {})
    await this.#log[Symbol.asyncDispose]()
    this.tree[Symbol.dispose]()
  }

  async #publish(): Promise<void> {
    const { folder, store, onPublished, logger } = this.#options
    const { repository, number } = this
    const indexPath = join(folder, 'index.sqlite')
    try {
      rmSync(indexPath, { force: true })
      // A publish before may have been done although it seemed to fail.
      if (existsSync(join(folder, putName))) this.meets(await readSnapshot(store, repository, number))
      // The index is of one moment: nothing is changed while it is written.
      const { totals, changes, root } = await this.#staged.drained(() => ({
        changes: this.tree.changes,
        totals: writeIndex(this.tree, indexPath),
        root: this.tree.inode(this.tree.root) as OwnInode,
      }))
      // What is published must not be newer than what is here after a crash of the system.
      this.tree.sync()
      const entry = await publishSnapshot({
        store,
        repository,
        number,
        indexPath,
        totals: {
          ...totals,
          writer: this.#options.writer,
          root: rootAttributesOf(root, this.tree.xattrNames(root.ino).length),
        },
        ...this.#manifest(indexPath),
        replaces: this.baseEtag,
        onManifest: (bytes) => writeFileSync(join(folder, putName), bytes, { mode: 0o600, flush: true }),
      })
      this.tree.published(changes, entry.manifestEtag)
      this.tree.sync()
      renameSync(join(folder, putName), join(folder, manifestName))
      logger.info({ snapshot: repository + entry.name, ...totals }, 'published')
      this.#publishFailure = undefined
      onPublished(entry)
    } catch (error) {
      this.#publishFailure = stagingFault(error)
      throw this.#publishFailure
    } finally {
      await rm(indexPath, { force: true })
    }
  }

  #setNumber(number: number, baseEtag: string | undefined): void {
    this.tree.renumber(number, baseEtag)
    this.#number = number
  }

  #manifest(indexPath: string): {
    manifest: Omit<Manifest, 'bytes' | 'jbfs'>
    base?: ReturnType<typeof manifestMembers>
    replacesIndex?: string | undefined
  } {
    const { created } = this.tree.state
    const bytes = this.#manifestBytes()
    const before = bytes && parseManifest(bytes)
    return {
      manifest: {
        created,
        suspended: before?.suspended ?? false,
        account: before?.account ?? this.repository.split('/').at(-2),
        items: itemsOf(indexPath, before?.items ?? []),
      },
      ...(bytes && { base: manifestMembers(bytes) }),
      // Under another number its index replaces none.
      replacesIndex: this.baseEtag === undefined ? undefined : before?.jbfs?.index.key,
    }
  }

  #manifestBytes(): Buffer | undefined {
    const bytes = readIfThere(join(this.#options.folder, manifestName))
    return bytes?.length === 0 ? undefined : bytes
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

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Milliseconds that a change waits for whoever else looks at the database: `jbfs status` as it opens it, or the thread that carries its log over. */
const longestWait = 5_000

function settings(database: DatabaseSync): void {
  database.exec(`PRAGMA busy_timeout = ${longestWait}`)
  // NORMAL: what a commit has written survives the process, and with `sync` the system.
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16384',
  )
}

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { codeOf } from '../base/errors.ts'
import { ChangeError } from '../snapshot/errors.ts'
import { bytesOfFileName } from '../snapshot/file-name.ts'
import { IndexTree } from '../snapshot/index-tree.ts'
import { largestIno, rootIno } from '../snapshot/schema.ts'
import {
  type Dentry,
  type Extent,
  type FileName,
  type Ino,
  isFolderMode,
  type OwnInode,
  type OwnObjectRef,
  type Timestamp,
} from '../snapshot/tree.ts'
import type { NewObject } from '../snapshot/working-index.ts'
import type { InodeChanges, MadeInode, TreePlace, WritableTree } from '../snapshot/writable-tree.ts'
import { stagingFault } from './staging-fault.ts'
import { readWorkingState, type WorkingState } from './working-schema.ts'

const Type = { mask: 0o170000, folder: 0o040000, symlink: 0o120000 } as const
const setgid = 0o2000
/** Beside the file type, what chmod(2) sets. */
const permissionBits = 0o7777

/** st_size of a folder, as file systems of Linux have it. */
export const folderSize = 4096

/** What a file's content is after it was stored. */
export interface StoredFile {
  readonly size: number
  /** undefined: no bytes at all, or one hole. */
  readonly object: NewObject | undefined
  /** undefined: there are no holes. */
  readonly extents: readonly Extent[] | undefined
}

/**
 * The namespace of a working snapshot: the tables of a file index that are changed in place, each change in a transaction of its own, but for the size
 * and the times of a staged file that is being written: these go down with the next one, as after a crash the file tells them itself. Inode numbers are
 * those of the index it was made of, and new ones behind them: they stay while it lives, and only what is published has new ones in reading order. A
 * position is never used again in a folder, so that a listing that is under way goes on rightly.
 */
export class WorkingTree implements WritableTree {
  readonly root = rootIno as Ino
  readonly database: DatabaseSync
  readonly #reader: IndexTree
  readonly #statements = new Map<string, StatementSync>()
  /** Inodes that have lost their last name, or never had one. */
  readonly #nameless = new Set<Ino>()
  #lastIno: number
  #lastPosition: number
  #changes: number
  /** Files as they are, of which the database does not know yet. */
  readonly #written = new Map<Ino, OwnInode>()
  readonly #onCommit: () => void

  /** `database`: of a working snapshot, which is the tree's from now on. */
  constructor(database: DatabaseSync, { repository, changes }: WorkingState, onCommit: () => void) {
    this.database = database
    this.#onCommit = onCommit
    this.#reader = new IndexTree(database, repository, { isChanging: true })
    const largest = (sql: string): number => Number(database.prepare(sql).get()?.largest ?? 0)
    this.#lastIno = largest('SELECT max(ino) AS largest FROM inode')
    this.#lastPosition = largest('SELECT max(position) AS largest FROM dentry')
    this.#changes = changes
  }

  get state(): WorkingState {
    return { ...(readWorkingState(this.database) as WorkingState), changes: this.#changes }
  }

  /** Grows with every change. */
  get changes(): number {
    return this.#changes
  }

  inode(ino: Ino): OwnInode | undefined {
    return this.#written.get(ino) ?? this.#reader.inode(ino)
  }

  lookup(parent: Ino, name: FileName): OwnInode | undefined {
    const inode = this.#reader.lookup(parent, name)
    return inode && this.#asWritten(inode)
  }

  *entries(parent: Ino, position: number): Iterable<Dentry<OwnObjectRef>> {
    for (const dentry of this.#reader.entries(parent, position))
      yield { ...dentry, inode: this.#asWritten(dentry.inode) }
  }

  parentOf(folder: Ino): Ino {
    return this.#reader.parentOf(folder)
  }

  extents(ino: Ino, offset: number): Iterable<Extent> {
    return this.#reader.extents(ino, offset)
  }

  xattr(ino: Ino, name: string): Buffer | undefined {
    return this.#reader.xattr(ino, name)
  }

  xattrNames(ino: Ino): readonly string[] {
    return this.#reader.xattrNames(ino)
  }

  filesAfter(ino: Ino, count: number): readonly OwnInode[] {
    return this.#reader.filesAfter(ino, count).map((inode) => this.#asWritten(inode))
  }

  objects(): Iterable<OwnObjectRef> {
    return this.#reader.objects()
  }

  make(parent: Ino, name: FileName | undefined, made: MadeInode): OwnInode {
    return this.#changing(() => {
      const folder = this.#folder(parent)
      if (name !== undefined) this.#refuseTaken(parent, name)
      const isFolder = isFolderMode(made.mode)
      const inherits = (folder.mode & setgid) !== 0
      const mode = inherits && isFolder ? made.mode | setgid : made.mode
      const ino = this.#insertInode({
        mode,
        nlink: isFolder ? 2 : name === undefined ? 0 : 1,
        uid: made.uid,
        gid: inherits ? folder.gid : made.gid,
        rdev: made.rdev ?? 0,
        target: made.target,
        parent: isFolder ? parent : undefined,
      })
      if (name !== undefined) {
        this.#insertDentry(parent, name, ino)
        this.#touchFolder(parent, isFolder ? 1 : 0)
      } else this.#nameless.add(ino)
      return this.#present(ino)
    })
  }

  /** A copy of an inode of another snapshot, whose content both have from now on: an object never changes. Without a `name` it is nowhere. */
  adopt(
    parent: Ino,
    name: FileName | undefined,
    from: OwnInode,
    extents: Iterable<Extent>,
    xattrs: Iterable<readonly [string, Buffer]>,
  ): OwnInode {
    return this.#changing(() => {
      this.#folder(parent)
      if (name !== undefined) this.#refuseTaken(parent, name)
      const { mode, uid, gid, rdev, target, mtime } = from
      const nlink = name === undefined ? 0 : 1
      const ino = this.#insertInode({ mode, nlink, uid, gid, rdev, target, mtime })
      this.#setContent(ino, {
        size: from.size,
        object: from.object,
        extents: from.sparse ? [...extents] : undefined,
      })
      for (const [xattr, value] of xattrs)
        this.#run('INSERT INTO xattr VALUES (?, ?, ?)', ino, Buffer.from(xattr, 'latin1'), value)
      if (name !== undefined) {
        this.#insertDentry(parent, name, ino)
        this.#touchFolder(parent, 0)
      }
      return this.#present(ino)
    })
  }

  link(ino: Ino, parent: Ino, name: FileName): OwnInode {
    return this.#changing(() => {
      const inode = this.#present(ino)
      if (isFolderMode(inode.mode)) throw new ChangeError('not-permitted')
      this.#folder(parent)
      this.#refuseTaken(parent, name)
      this.#insertDentry(parent, name, ino)
      this.#nameless.delete(ino)
      this.#addLinks(ino, 1)
      this.#touchFolder(parent, 0)
      return this.#present(ino)
    })
  }

  unlink(parent: Ino, name: FileName): OwnInode {
    return this.#changing(() => {
      const inode = this.#named(parent, name)
      if (isFolderMode(inode.mode)) throw new ChangeError('is-folder')
      this.#deleteDentry(parent, name)
      this.#removeLink(inode)
      this.#touchFolder(parent, 0)
      return this.#present(inode.ino)
    })
  }

  removeFolder(parent: Ino, name: FileName): void {
    this.#changing(() => {
      const inode = this.#named(parent, name)
      this.#refuseFull(inode)
      this.#deleteDentry(parent, name)
      this.#removeLinks(inode.ino)
      this.#touchFolder(parent, -1)
    })
  }

  rename(from: TreePlace, to: TreePlace, how: 'replace' | 'keep' | 'exchange'): OwnInode | undefined {
    return this.#changing(() => {
      const moved = this.#named(from.parent, from.name)
      this.#folder(to.parent)
      const there = this.#reader.lookup(to.parent, to.name)
      this.#refuseIntoItself(moved, to.parent)
      if (how === 'exchange') {
        if (there === undefined) throw new ChangeError('no-name')
        if (there.ino === moved.ino) return undefined
        this.#refuseIntoItself(there, from.parent)
        this.#exchange(from, moved, to, there)
        return undefined
      }
      if (there !== undefined) {
        if (how === 'keep') throw new ChangeError('name-taken')
        // Two names of one file: nothing is done, says rename(2).
        if (there.ino === moved.ino) return undefined
        this.#refuseReplacing(moved, there)
      }
      const isFolder = isFolderMode(moved.mode)
      if (there !== undefined) {
        this.#deleteDentry(to.parent, to.name)
        if (isFolder) {
          this.#removeLinks(there.ino)
          this.#touchFolder(to.parent, -1)
        } else this.#removeLink(there)
      }
      this.#deleteDentry(from.parent, from.name)
      this.#insertDentry(to.parent, to.name, moved.ino)
      if (isFolder) this.#run('UPDATE inode SET parent = ? WHERE ino = ?', to.parent, moved.ino)
      this.#touchFolder(from.parent, isFolder ? -1 : 0)
      this.#touchFolder(to.parent, isFolder ? 1 : 0)
      this.#touch(moved.ino)
      return there && this.#present(there.ino)
    })
  }

  setAttributes(ino: Ino, changes: InodeChanges): OwnInode {
    return this.#changing(() => {
      const { mode } = this.#present(ino)
      const time = now()
      const set = (columns: string, ...values: SQLInputValue[]): void =>
        this.#run(`UPDATE inode SET ${columns} WHERE ino = ?`, ...values, ino)
      set('ctime = ?, ctime_ns = ?', time.seconds, time.nanoseconds)
      if (changes.mode !== undefined) set('mode = ?', (mode & Type.mask) | (changes.mode & permissionBits))
      if (changes.uid !== undefined) set('uid = ?', changes.uid)
      if (changes.gid !== undefined) set('gid = ?', changes.gid)
      for (const which of ['mtime', 'atime'] as const) {
        const change = changes[which]
        if (change === undefined) continue
        const { seconds, nanoseconds } = change === 'now' ? time : change
        set(`${which} = ?, ${which}_ns = ?`, seconds, nanoseconds)
      }
      return this.#present(ino)
    })
  }

  setXattr(ino: Ino, name: string, value: Buffer, how: 'any' | 'create' | 'replace'): void {
    this.#changing(() => {
      this.#present(ino)
      const isThere = this.#reader.xattr(ino, name) !== undefined
      if (how === 'create' && isThere) throw new ChangeError('attribute-taken')
      if (how === 'replace' && !isThere) throw new ChangeError('no-attribute')
      this.#run('INSERT OR REPLACE INTO xattr VALUES (?, ?, ?)', ino, Buffer.from(name, 'latin1'), value)
      this.#touch(ino)
    })
  }

  removeXattr(ino: Ino, name: string): void {
    this.#changing(() => {
      if (this.#reader.xattr(ino, name) === undefined) throw new ChangeError('no-attribute')
      this.#run('DELETE FROM xattr WHERE ino = ? AND name = ?', ino, Buffer.from(name, 'latin1'))
      this.#touch(ino)
    })
  }

  /** Files whose content is staged. */
  staged(): Ino[] {
    return this.database
      .prepare('SELECT ino FROM staged')
      .all()
      .map(({ ino }) => Number(ino) as Ino)
  }

  /**
   * A file was written to: its new size, mtime and ctime (`at`, in epoch milliseconds, or now), and its mode if it has another one. `stages`: its
   * content lies in the staging folder, and no longer in the store, from now on.
   */
  wrote(
    ino: Ino,
    {
      size,
      mode,
      stages = false,
      at = Date.now(),
    }: { size: number; mode?: number | undefined; stages?: boolean; at?: number },
  ): void {
    const time = timestampOf(at)
    const inode = this.inode(ino)
    const isLike = inode !== undefined && size >= inode.size && (mode ?? inode.mode) === inode.mode
    if (isLike && !stages && this.#isStaged(ino)) {
      this.#written.set(ino, { ...inode, size, mtime: time, ctime: time })
      this.#changes++
      return
    }
    this.#changing(() => {
      if (stages) {
        this.#run(
          'INSERT OR IGNORE INTO staged SELECT ino, size, object, sparse FROM inode WHERE ino = ?',
          ino,
        )
        this.#run('UPDATE inode SET object = NULL, sparse = 0 WHERE ino = ?', ino)
      }
      this.#putWritten(ino, size, time)
      if (mode !== undefined) this.#run('UPDATE inode SET mode = ? WHERE ino = ?', mode, ino)
    })
  }

  /** The content of a file is in the store now; with `isDurable` that is on the disk when this returns, as after `sync`. */
  stored(ino: Ino, content: StoredFile, { isDurable = false } = {}): void {
    const store = (): void =>
      this.#changing(() => {
        this.#setContent(ino, content)
        this.#run('DELETE FROM staged WHERE ino = ?', ino)
        this.#run('DELETE FROM growing WHERE ino = ?', ino)
      })
    if (isDurable) this.#durably(store)
    else store()
  }

  /** What is staged of a file is lost: its content is again what was stored last, or nothing. */
  lost(ino: Ino): void {
    this.#changing(() => {
      this.#run(
        `UPDATE inode SET (size, object, sparse) = (SELECT size, object, sparse FROM staged WHERE staged.ino = inode.ino)
         WHERE ino = ?`,
        ino,
      )
      this.#run('DELETE FROM staged WHERE ino = ?', ino)
    })
  }

  /** The content of a file without a name is no longer wanted. */
  forgetStaged(ino: Ino): void {
    // Readers never saw it: there is nothing to publish.
    try {
      this.#run('DELETE FROM staged WHERE ino = ?', ino)
    } catch (error) {
      // The next mount forgets it, with the inode.
      if (codeOf(stagingFault(error)) !== 'staging-full') throw error
    }
  }

  isNameless(ino: Ino): boolean {
    // It may have been put among them by a change that failed.
    return this.#nameless.has(ino) && this.#reader.inode(ino)?.nlink === 0
  }

  /** Of one without a name, to which nobody can come again. */
  remove(ino: Ino): void {
    this.#nameless.delete(ino)
    // Readers never saw it: there is nothing to publish.
    this.#atOnce(() => {
      for (const table of ['inode', 'xattr', 'extent']) this.#run(`DELETE FROM ${table} WHERE ino = ?`, ino)
    })
  }

  /** It is another snapshot from now on, of which this is published. */
  renumber(number: number, etag: string | undefined): void {
    this.#changing(() => this.#run('UPDATE working SET number = ?, base_etag = ?', number, etag ?? null))
  }

  /** What was there at change number `changes` is published, under this etag. */
  published(changes: number, etag: string): void {
    this.#run('UPDATE working SET published = ?, base_etag = ?', changes, etag)
  }

  /** Resolves nothing: returns when all that was done before is on the disk, and not only in the system's memory. */
  sync(): void {
    this.#durably(() => this.#putDown())
  }

  [Symbol.dispose](): void {
    try {
      this.#putDown()
    } catch {
      // As after a crash, then.
    }
    this.#reader[Symbol.dispose]()
  }

  #changing<T>(change: () => T): T {
    const result = this.#atOnce(() => {
      const result = change()
      this.#run('UPDATE working SET changes = ?', this.#changes + 1)
      return result
    })
    this.#changes++
    return result
  }

  #durably(work: () => void): void {
    this.database.exec('PRAGMA synchronous = FULL')
    try {
      work()
    } catch (error) {
      throw stagingFault(error)
    } finally {
      this.database.exec('PRAGMA synchronous = NORMAL')
    }
  }

  /** All of it, or nothing. */
  #atOnce<T>(work: () => T): T {
    try {
      this.#run('BEGIN IMMEDIATE')
      for (const { ino, size, mtime } of this.#written.values()) this.#putWritten(ino, size, mtime)
      const result = work()
      this.#run('COMMIT')
      this.#written.clear()
      this.#onCommit()
      return result
    } catch (error) {
      if (this.database.isTransaction) this.database.exec('ROLLBACK')
      throw stagingFault(error)
    }
  }

  #putDown(): void {
    this.#atOnce(() => this.#run('UPDATE working SET changes = ?', this.#changes))
  }

  /** Only a file of the staging folder tells after a crash what was written. */
  #isStaged(ino: Ino): boolean {
    return (
      this.#written.has(ino) || this.#prepared('SELECT 1 FROM staged WHERE ino = ?').get(ino) !== undefined
    )
  }

  #asWritten(inode: OwnInode): OwnInode {
    return this.#written.get(inode.ino) ?? inode
  }

  #putWritten(ino: Ino, size: number, { seconds, nanoseconds }: Timestamp): void {
    this.#run(
      'UPDATE inode SET size = ?, mtime = ?, mtime_ns = ?, ctime = ?, ctime_ns = ? WHERE ino = ?',
      size,
      seconds,
      nanoseconds,
      seconds,
      nanoseconds,
      ino,
    )
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#prepared(sql).run(...values)
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  #present(ino: Ino): OwnInode {
    const inode = this.#reader.inode(ino)
    if (inode === undefined) throw new ChangeError('no-name')
    return inode
  }

  #folder(ino: Ino): OwnInode {
    const folder = this.#present(ino)
    if (!isFolderMode(folder.mode)) throw new ChangeError('no-folder')
    // One that was removed while somebody stands in it.
    if (folder.nlink === 0) throw new ChangeError('no-name')
    return folder
  }

  #named(parent: Ino, name: FileName): OwnInode {
    const inode = this.#reader.lookup(parent, name)
    if (inode === undefined) throw new ChangeError('no-name')
    return inode
  }

  #refuseTaken(parent: Ino, name: FileName): void {
    if (this.#reader.lookup(parent, name) !== undefined) throw new ChangeError('name-taken')
  }

  #refuseFull({ ino, mode }: OwnInode): void {
    if (!isFolderMode(mode)) throw new ChangeError('no-folder')
    for (const _ of this.#reader.entries(ino, 0)) throw new ChangeError('not-empty')
  }

  #refuseReplacing(moved: OwnInode, there: OwnInode): void {
    if (isFolderMode(moved.mode)) this.#refuseFull(there)
    else if (isFolderMode(there.mode)) throw new ChangeError('is-folder')
  }

  #refuseIntoItself({ ino, mode }: OwnInode, target: Ino): void {
    if (!isFolderMode(mode)) return
    for (let at = target; ; at = this.#reader.parentOf(at)) {
      if (at === ino) throw new ChangeError('into-itself')
      if (at === this.root) return
    }
  }

  #exchange(from: TreePlace, moved: OwnInode, to: TreePlace, there: OwnInode): void {
    this.#deleteDentry(from.parent, from.name)
    this.#deleteDentry(to.parent, to.name)
    this.#insertDentry(from.parent, from.name, there.ino)
    this.#insertDentry(to.parent, to.name, moved.ino)
    const [movedFolders, thereFolders] = [moved, there].map(({ mode }) => (isFolderMode(mode) ? 1 : 0))
    if (movedFolders) this.#run('UPDATE inode SET parent = ? WHERE ino = ?', to.parent, moved.ino)
    if (thereFolders) this.#run('UPDATE inode SET parent = ? WHERE ino = ?', from.parent, there.ino)
    const gained = (movedFolders as number) - (thereFolders as number)
    this.#touchFolder(from.parent, -gained)
    this.#touchFolder(to.parent, gained)
    this.#touch(moved.ino)
    this.#touch(there.ino)
  }

  #insertInode(
    inode: Omit<MadeInode, 'rdev'> & {
      readonly nlink: number
      readonly rdev: number
      readonly parent?: Ino | undefined
      readonly mtime?: Timestamp | undefined
    },
  ): Ino {
    if (this.#lastIno >= largestIno) throw new ChangeError('staging-full', 'there are no inode numbers left')
    const ino = ++this.#lastIno
    const time = now()
    const mtime = inode.mtime ?? time
    const target = inode.target === undefined ? null : Buffer.from(inode.target, 'latin1')
    this.#run(
      'INSERT INTO inode VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, 0, ?, NULL, NULL)',
      ino,
      inode.mode,
      inode.nlink,
      inode.uid,
      inode.gid,
      inode.rdev,
      isFolderMode(inode.mode) ? folderSize : (target?.length ?? 0),
      mtime.seconds,
      mtime.nanoseconds,
      time.seconds,
      time.nanoseconds,
      target,
      inode.parent ?? null,
    )
    return ino as Ino
  }

  #setContent(ino: Ino, { size, object, extents }: StoredFile): void {
    if (object !== undefined)
      this.#run(
        'INSERT OR IGNORE INTO object VALUES (?, ?, ?)',
        Buffer.from(object.id, 'hex'),
        object.size,
        object.sha256,
      )
    this.#run('DELETE FROM extent WHERE ino = ?', ino)
    for (const { offset, length, objectOffset } of extents ?? [])
      this.#run('INSERT INTO extent VALUES (?, ?, ?, ?)', ino, offset, length, objectOffset)
    this.#run(
      'UPDATE inode SET object = ?, sparse = ?, size = ? WHERE ino = ?',
      object === undefined ? null : Buffer.from(object.id, 'hex'),
      extents === undefined ? 0 : 1,
      size,
      ino,
    )
  }

  #insertDentry(parent: Ino, name: FileName, ino: Ino): void {
    this.#run(
      'INSERT INTO dentry VALUES (?, ?, ?, ?)',
      parent,
      ++this.#lastPosition,
      bytesOfFileName(name),
      ino,
    )
  }

  #deleteDentry(parent: Ino, name: FileName): void {
    this.#run('DELETE FROM dentry WHERE parent = ? AND name = ?', parent, bytesOfFileName(name))
  }

  #addLinks(ino: Ino, links: number): void {
    this.#run('UPDATE inode SET nlink = nlink + ? WHERE ino = ?', links, ino)
    this.#touch(ino)
  }

  /** Of what is no folder. */
  #removeLink({ ino, nlink }: OwnInode): void {
    this.#addLinks(ino, -1)
    if (nlink === 1) this.#nameless.add(ino)
  }

  /** Of a folder. */
  #removeLinks(ino: Ino): void {
    this.#run('UPDATE inode SET nlink = 0 WHERE ino = ?', ino)
    this.#touch(ino)
    this.#nameless.add(ino)
  }

  #touch(ino: Ino): void {
    const { seconds, nanoseconds } = now()
    this.#run('UPDATE inode SET ctime = ?, ctime_ns = ? WHERE ino = ?', seconds, nanoseconds, ino)
  }

  /** A folder's entries have changed; `folders`: by how many it has more folders. */
  #touchFolder(ino: Ino, folders: number): void {
    const { seconds, nanoseconds } = now()
    this.#run(
      'UPDATE inode SET nlink = nlink + ?, mtime = ?, mtime_ns = ?, ctime = ?, ctime_ns = ? WHERE ino = ?',
      folders,
      seconds,
      nanoseconds,
      seconds,
      nanoseconds,
      ino,
    )
  }
}

function now(): Timestamp {
  return timestampOf(Date.now())
}

/** Of epoch milliseconds. */
function timestampOf(millis: number): Timestamp {
  const seconds = Math.floor(millis / 1000)
  return { seconds, nanoseconds: (millis - seconds * 1000) * 1_000_000 }
}

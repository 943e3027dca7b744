import type { DatabaseSync } from 'node:sqlite'
import { codeOf } from '../base/errors.ts'
import { ChangeError } from '../snapshot/errors.ts'
import { IndexTree } from '../snapshot/index-tree.ts'
import { rootIno } from '../snapshot/schema.ts'
import { timestampNow, timestampOfMillis } from '../snapshot/timestamp.ts'
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
import type { InodeChanges, MadeInode, TreePlace, WritableTree } from '../snapshot/writable-tree.ts'
import { stagingFault } from './staging-fault.ts'
import {
  folderIn,
  namedIn,
  presentIn,
  refuseFull,
  refuseIntoItself,
  refuseReplacing,
  refuseTaken,
} from './tree-refusals.ts'
import { type StoredFile, TreeRows } from './tree-rows.ts'
import { readWorkingState, type WorkingState } from './working-schema.ts'
import type { WriteAheadLog } from './write-ahead-log.ts'

const setgid = 0o2000
/** Beside the file type, what chmod(2) sets. */
const permissionBits = 0o7777

type Log = Pick<WriteAheadLog, 'committed' | 'sync' | 'synced'>

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
  readonly #rows: TreeRows
  readonly #log: Log
  /** Inodes that have lost their last name, or never had one. */
  readonly #nameless = new Set<Ino>()
  #changes: number
  /** Files as they are, of which the database does not know yet. */
  readonly #written = new Map<Ino, OwnInode>()

  /** `database`: of a working snapshot, which is the tree's from now on. */
  constructor(database: DatabaseSync, { repository, changes }: WorkingState, log: Log) {
    this.database = database
    this.#reader = new IndexTree(database, repository, { isChanging: true })
    this.#log = log
    this.#rows = new TreeRows(database, () => log.committed())
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
      const folder = folderIn(this.#reader, parent)
      if (name !== undefined) refuseTaken(this.#reader, parent, name)
      const isFolder = isFolderMode(made.mode)
      const inherits = (folder.mode & setgid) !== 0
      const mode = inherits && isFolder ? made.mode | setgid : made.mode
      const ino = this.#rows.insertInode({
        ...made,
        mode,
        nlink: isFolder ? 2 : name === undefined ? 0 : 1,
        gid: inherits ? folder.gid : made.gid,
        parent: isFolder ? parent : undefined,
      })
      if (name !== undefined) {
        this.#rows.insertDentry(parent, name, ino)
        this.#rows.touchFolder(parent, isFolder ? 1 : 0)
      } else this.#nameless.add(ino)
      return presentIn(this.#reader, ino)
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
      folderIn(this.#reader, parent)
      if (name !== undefined) refuseTaken(this.#reader, parent, name)
      const { mode, uid, gid, rdev, target, mtime } = from
      const nlink = name === undefined ? 0 : 1
      const ino = this.#rows.insertInode({ mode, nlink, uid, gid, rdev, target, mtime })
      this.#rows.setContent(ino, {
        size: from.size,
        object: from.object,
        extents: from.sparse ? [...extents] : undefined,
      })
      for (const [xattr, value] of xattrs) this.#rows.putXattr(ino, xattr, value)
      if (name !== undefined) {
        this.#rows.insertDentry(parent, name, ino)
        this.#rows.touchFolder(parent, 0)
      }
      return presentIn(this.#reader, ino)
    })
  }

  link(ino: Ino, parent: Ino, name: FileName): OwnInode {
    return this.#changing(() => {
      const inode = presentIn(this.#reader, ino)
      if (isFolderMode(inode.mode)) throw new ChangeError('not-permitted')
      folderIn(this.#reader, parent)
      refuseTaken(this.#reader, parent, name)
      this.#rows.insertDentry(parent, name, ino)
      this.#nameless.delete(ino)
      this.#rows.addLinks(ino, 1)
      this.#rows.touchFolder(parent, 0)
      return presentIn(this.#reader, ino)
    })
  }

  unlink(parent: Ino, name: FileName): OwnInode {
    return this.#changing(() => {
      const inode = namedIn(this.#reader, parent, name)
      if (isFolderMode(inode.mode)) throw new ChangeError('is-folder')
      this.#rows.deleteDentry(parent, name)
      this.#removeLink(inode)
      this.#rows.touchFolder(parent, 0)
      return presentIn(this.#reader, inode.ino)
    })
  }

  removeFolder(parent: Ino, name: FileName): void {
    this.#changing(() => {
      const inode = namedIn(this.#reader, parent, name)
      refuseFull(this.#reader, inode)
      this.#rows.deleteDentry(parent, name)
      this.#removeLinks(inode.ino)
      this.#rows.touchFolder(parent, -1)
    })
  }

  rename(from: TreePlace, to: TreePlace, how: 'replace' | 'keep' | 'exchange'): OwnInode | undefined {
    return this.#changing(() => {
      const moved = namedIn(this.#reader, from.parent, from.name)
      folderIn(this.#reader, to.parent)
      const there = this.#reader.lookup(to.parent, to.name)
      refuseIntoItself(this.#reader, moved, to.parent)
      if (how === 'exchange') {
        if (there === undefined) throw new ChangeError('no-name')
        if (there.ino === moved.ino) return undefined
        refuseIntoItself(this.#reader, there, from.parent)
        this.#exchange(from, moved, to, there)
        return undefined
      }
      if (there !== undefined) {
        if (how === 'keep') throw new ChangeError('name-taken')
        // Two names of one file: nothing is done, says rename(2).
        if (there.ino === moved.ino) return undefined
        refuseReplacing(this.#reader, moved, there)
      }
      const isFolder = isFolderMode(moved.mode)
      if (there !== undefined) {
        this.#rows.deleteDentry(to.parent, to.name)
        if (isFolder) {
          this.#removeLinks(there.ino)
          this.#rows.touchFolder(to.parent, -1)
        } else this.#removeLink(there)
      }
      this.#rows.deleteDentry(from.parent, from.name)
      this.#rows.insertDentry(to.parent, to.name, moved.ino)
      if (isFolder) this.#rows.setParent(moved.ino, to.parent)
      this.#rows.touchFolder(from.parent, isFolder ? -1 : 0)
      this.#rows.touchFolder(to.parent, isFolder ? 1 : 0)
      this.#rows.touch(moved.ino)
      return there && presentIn(this.#reader, there.ino)
    })
  }

  setAttributes(ino: Ino, changes: InodeChanges): OwnInode {
    return this.#changing(() => {
      const { mode } = presentIn(this.#reader, ino)
      const ctime = timestampNow()
      const timeOf = (time: Timestamp | 'now' | undefined): Timestamp | undefined =>
        time === 'now' ? ctime : time
      this.#rows.setAttributes(ino, {
        mode: changes.mode === undefined ? undefined : withPermissions(mode, changes.mode),
        uid: changes.uid,
        gid: changes.gid,
        mtime: timeOf(changes.mtime),
        atime: timeOf(changes.atime),
        ctime,
      })
      return presentIn(this.#reader, ino)
    })
  }

  setXattr(ino: Ino, name: string, value: Buffer, how: 'any' | 'create' | 'replace'): void {
    this.#changing(() => {
      presentIn(this.#reader, ino)
      const isThere = this.#reader.xattr(ino, name) !== undefined
      if (how === 'create' && isThere) throw new ChangeError('attribute-taken')
      if (how === 'replace' && !isThere) throw new ChangeError('no-attribute')
      this.#rows.putXattr(ino, name, value)
      this.#rows.touch(ino)
    })
  }

  removeXattr(ino: Ino, name: string): void {
    this.#changing(() => {
      if (this.#reader.xattr(ino, name) === undefined) throw new ChangeError('no-attribute')
      this.#rows.deleteXattr(ino, name)
      this.#rows.touch(ino)
    })
  }

  /** Files whose content is staged. */
  staged(): Ino[] {
    return this.#rows.staged()
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
    const time = timestampOfMillis(at)
    const inode = this.inode(ino)
    const isLike = inode !== undefined && size >= inode.size && (mode ?? inode.mode) === inode.mode
    if (isLike && !stages && this.#isStaged(ino)) {
      this.#written.set(ino, { ...inode, size, mtime: time, ctime: time })
      this.#changes++
      return
    }
    this.#changing(() => {
      if (stages) this.#rows.stage(ino)
      this.#rows.setWritten(ino, size, time, mode)
    })
  }

  /** The content of a file is in the store now; with `isDurable` that is on the disk when this returns, as after `sync`. */
  stored(ino: Ino, content: StoredFile, { isDurable = false } = {}): void {
    this.#changing(() => {
      this.#rows.setContent(ino, content)
      this.#rows.deleteStaged(ino)
      this.#rows.deleteGrowing(ino)
    })
    if (isDurable) this.#log.sync()
  }

  /** What is staged of a file is lost: its content is again what was stored last, or nothing. */
  lost(ino: Ino): void {
    this.#changing(() => this.#rows.unstage(ino))
  }

  /** The content of a file without a name is no longer wanted. */
  forgetStaged(ino: Ino): void {
    // Readers never saw it: there is nothing to publish.
    try {
      this.#rows.deleteStaged(ino)
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
    this.#atOnce(() => this.#rows.deleteInode(ino))
  }

  /** It is another snapshot from now on, of which this is published. */
  renumber(number: number, etag: string | undefined): void {
    this.#changing(() => this.#rows.setNumber(number, etag))
  }

  /** What was there at change number `changes` is published, under this etag. */
  published(changes: number, etag: string): void {
    this.#rows.setPublished(changes, etag)
  }

  /** Returns when all that was done before is on the disk, and not only in the system's memory. */
  sync(): void {
    this.#putDown()
    this.#log.sync()
  }

  /** As `sync`, resolves. */
  async synced(): Promise<void> {
    this.#putDown()
    await this.#log.synced()
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
      this.#rows.setChanges(this.#changes + 1)
      return result
    })
    this.#changes++
    return result
  }

  /** With what is written of files by now. */
  #atOnce<T>(work: () => T): T {
    const result = this.#rows.atOnce(() => {
      for (const { ino, size, mtime } of this.#written.values()) this.#rows.setWritten(ino, size, mtime)
      return work()
    })
    this.#written.clear()
    return result
  }

  #putDown(): void {
    this.#atOnce(() => this.#rows.setChanges(this.#changes))
  }

  /** Only a file of the staging folder tells after a crash what was written. */
  #isStaged(ino: Ino): boolean {
    return this.#written.has(ino) || this.#rows.isStaged(ino)
  }

  #asWritten(inode: OwnInode): OwnInode {
    return this.#written.get(inode.ino) ?? inode
  }

  #exchange(from: TreePlace, moved: OwnInode, to: TreePlace, there: OwnInode): void {
    this.#rows.deleteDentry(from.parent, from.name)
    this.#rows.deleteDentry(to.parent, to.name)
    this.#rows.insertDentry(from.parent, from.name, there.ino)
    this.#rows.insertDentry(to.parent, to.name, moved.ino)
    const [movedFolders, thereFolders] = [moved, there].map(({ mode }) => (isFolderMode(mode) ? 1 : 0))
    if (movedFolders) this.#rows.setParent(moved.ino, to.parent)
    if (thereFolders) this.#rows.setParent(there.ino, from.parent)
    const gained = (movedFolders as number) - (thereFolders as number)
    this.#rows.touchFolder(from.parent, -gained)
    this.#rows.touchFolder(to.parent, gained)
    this.#rows.touch(moved.ino)
    this.#rows.touch(there.ino)
  }

  /** Of what is no folder. */
  #removeLink({ ino, nlink }: OwnInode): void {
    this.#rows.addLinks(ino, -1)
    if (nlink === 1) this.#nameless.add(ino)
  }

  /** Of a folder. */
  #removeLinks(ino: Ino): void {
    this.#rows.removeLinks(ino)
    this.#nameless.add(ino)
  }
}

/** Of the mode of an inode, and one for chmod(2). */
function withPermissions(mode: number, changed: number): number {
  return (mode & ~permissionBits) | (changed & permissionBits)
}

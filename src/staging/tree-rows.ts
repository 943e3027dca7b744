import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { ChangeError } from '../snapshot/errors.ts'
import { bytesOfFileName } from '../snapshot/file-name.ts'
import { largestIno } from '../snapshot/schema.ts'
import { timestampNow } from '../snapshot/timestamp.ts'
import { type Extent, type FileName, type Ino, isFolderMode, type Timestamp } from '../snapshot/tree.ts'
import type { NewObject } from '../snapshot/working-index.ts'
import type { MadeInode } from '../snapshot/writable-tree.ts'
import { stagingFault } from './staging-fault.ts'

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

/** An inode that is new, as its row is to be. */
export interface NewInode extends MadeInode {
  readonly nlink: number
  /** Of a folder. */
  readonly parent?: Ino | undefined
  /** undefined: now, as ctime is. */
  readonly mtime?: Timestamp | undefined
}

/** What is undefined stays. */
export interface NewAttributes {
  /** With the file type. */
  readonly mode?: number | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  readonly mtime?: Timestamp | undefined
  readonly atime?: Timestamp | undefined
  readonly ctime: Timestamp
}

/**
 * The rows of a working snapshot (`working-schema.ts`, and `native-notes/format.md` §4), as its tree changes them. They do as they are told: what a change means, and
 * whether there may be one, is for `WorkingTree` to know. Reading them is for an `IndexTree`.
 */
export class TreeRows {
  readonly database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #onCommit: () => void
  #lastIno: number
  #lastPosition: number

  /** `database`: whoever makes them keeps it, and closes it. */
  constructor(database: DatabaseSync, onCommit: () => void) {
    this.database = database
    this.#onCommit = onCommit
    const largest = (sql: string): number => Number(database.prepare(sql).get()?.largest ?? 0)
    this.#lastIno = largest('SELECT max(ino) AS largest FROM inode')
    this.#lastPosition = largest('SELECT max(position) AS largest FROM dentry')
  }

  /** All of it, or nothing. */
  atOnce<T>(work: () => T): T {
    try {
      this.#run('BEGIN IMMEDIATE')
      const result = work()
      this.#run('COMMIT')
      this.#onCommit()
      return result
    } catch (error) {
      if (this.database.isTransaction) this.database.exec('ROLLBACK')
      throw stagingFault(error)
    }
  }

  setChanges(changes: number): void {
    this.#run('UPDATE working SET changes = ?', changes)
  }

  setPublished(changes: number, etag: string): void {
    this.#run('UPDATE working SET published = ?, base_etag = ?', changes, etag)
  }

  setNumber(number: number, etag: string | undefined): void {
    this.#run('UPDATE working SET number = ?, base_etag = ?', number, etag ?? null)
  }

  /** Its number is behind all others, those of inodes that are gone, too. */
  insertInode(inode: NewInode): Ino {
    if (this.#lastIno >= largestIno) throw new ChangeError('staging-full', 'there are no inode numbers left')
    const ino = ++this.#lastIno
    const ctime = timestampNow()
    const mtime = inode.mtime ?? ctime
    const target = inode.target === undefined ? null : Buffer.from(inode.target, 'latin1')
    this.#run(
      'INSERT INTO inode VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, 0, ?, NULL, NULL)',
      ino,
      inode.mode,
      inode.nlink,
      inode.uid,
      inode.gid,
      inode.rdev ?? 0,
      isFolderMode(inode.mode) ? folderSize : (target?.length ?? 0),
      mtime.seconds,
      mtime.nanoseconds,
      ctime.seconds,
      ctime.nanoseconds,
      target,
      inode.parent ?? null,
    )
    return ino as Ino
  }

  deleteInode(ino: Ino): void {
    for (const table of ['inode', 'xattr', 'extent']) this.#run(`DELETE FROM ${table} WHERE ino = ?`, ino)
  }

  insertDentry(parent: Ino, name: FileName, ino: Ino): void {
    this.#run(
      'INSERT INTO dentry VALUES (?, ?, ?, ?)',
      parent,
      ++this.#lastPosition,
      bytesOfFileName(name),
      ino,
    )
  }

  deleteDentry(parent: Ino, name: FileName): void {
    this.#run('DELETE FROM dentry WHERE parent = ? AND name = ?', parent, bytesOfFileName(name))
  }

  /** Of a folder. */
  setParent(ino: Ino, parent: Ino): void {
    this.#run('UPDATE inode SET parent = ? WHERE ino = ?', parent, ino)
  }

  addLinks(ino: Ino, links: number): void {
    this.#run('UPDATE inode SET nlink = nlink + ? WHERE ino = ?', links, ino)
    this.touch(ino)
  }

  removeLinks(ino: Ino): void {
    this.#run('UPDATE inode SET nlink = 0 WHERE ino = ?', ino)
    this.touch(ino)
  }

  touch(ino: Ino): void {
    this.setAttributes(ino, { ctime: timestampNow() })
  }

  /** A folder's entries have changed; `folders`: by how many it has more folders. */
  touchFolder(ino: Ino, folders: number): void {
    const { seconds, nanoseconds } = timestampNow()
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

  setAttributes(ino: Ino, { mode, uid, gid, mtime, atime, ctime }: NewAttributes): void {
    const set = (columns: string, ...values: SQLInputValue[]): void =>
      this.#run(`UPDATE inode SET ${columns} WHERE ino = ?`, ...values, ino)
    set('ctime = ?, ctime_ns = ?', ctime.seconds, ctime.nanoseconds)
    if (mode !== undefined) set('mode = ?', mode)
    if (uid !== undefined) set('uid = ?', uid)
    if (gid !== undefined) set('gid = ?', gid)
    if (mtime !== undefined) set('mtime = ?, mtime_ns = ?', mtime.seconds, mtime.nanoseconds)
    if (atime !== undefined) set('atime = ?, atime_ns = ?', atime.seconds, atime.nanoseconds)
  }

  /** `name`: latin1. */
  putXattr(ino: Ino, name: string, value: Buffer): void {
    this.#run('INSERT OR REPLACE INTO xattr VALUES (?, ?, ?)', ino, Buffer.from(name, 'latin1'), value)
  }

  deleteXattr(ino: Ino, name: string): void {
    this.#run('DELETE FROM xattr WHERE ino = ? AND name = ?', ino, Buffer.from(name, 'latin1'))
  }

  /** A file was written to, at `time`; `mode`: undefined stays. */
  setWritten(ino: Ino, size: number, { seconds, nanoseconds }: Timestamp, mode?: number): void {
    this.#run(
      'UPDATE inode SET size = ?, mode = ifnull(?, mode), mtime = ?, mtime_ns = ?, ctime = ?, ctime_ns = ? WHERE ino = ?',
      size,
      mode ?? null,
      seconds,
      nanoseconds,
      seconds,
      nanoseconds,
      ino,
    )
  }

  setContent(ino: Ino, { size, object, extents }: StoredFile): void {
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

  /** Files whose content lies in the staging folder. */
  staged(): Ino[] {
    return this.#prepared('SELECT ino FROM staged')
      .all()
      .map(({ ino }) => Number(ino) as Ino)
  }

  isStaged(ino: Ino): boolean {
    return this.#prepared('SELECT 1 FROM staged WHERE ino = ?').get(ino) !== undefined
  }

  /** The content lies in the staging folder from now on; what was stored last is kept beside it. */
  stage(ino: Ino): void {
    this.#run('INSERT OR IGNORE INTO staged SELECT ino, size, object, sparse FROM inode WHERE ino = ?', ino)
    this.#run('UPDATE inode SET object = NULL, sparse = 0 WHERE ino = ?', ino)
  }

  /** The content is again what was stored last. */
  unstage(ino: Ino): void {
    this.#run(
      `UPDATE inode SET (size, object, sparse) = (SELECT size, object, sparse FROM staged WHERE staged.ino = inode.ino)
       WHERE ino = ?`,
      ino,
    )
    this.deleteStaged(ino)
  }

  deleteStaged(ino: Ino): void {
    this.#run('DELETE FROM staged WHERE ino = ?', ino)
  }

  deleteGrowing(ino: Ino): void {
    this.#run('DELETE FROM growing WHERE ino = ?', ino)
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
}

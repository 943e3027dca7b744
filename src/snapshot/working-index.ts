import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { bytesOfFileName } from './file-name.ts'
import { tables } from './schema.ts'
import type { Extent, FileName, Timestamp } from './tree.ts'

/** What a new inode is given; its links and its number follow from the tree. */
export interface NewInode {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  readonly size: number
  readonly mtime: Timestamp
  readonly ctime: Timestamp
  /** 24 hex digits. */
  readonly object?: string | undefined
  /** latin1 bytes. */
  readonly target?: string | undefined
  /** Where the data lies in a file with holes. */
  readonly extents?: readonly Extent[] | undefined
  readonly xattrs?: readonly { readonly name: Buffer; readonly value: Buffer }[] | undefined
}

/** A content object that inodes may refer to. */
export interface NewObject {
  /** 24 hex digits. */
  readonly id: string
  readonly size: number
  /** 32 bytes. */
  readonly sha256: Buffer
}

/**
 * A snapshot that is being put together: the tables of a file index with provisional numbers and without `nlink` and `parent`, rows in any order. Ino 1 is the
 * top folder. `writeIndex` makes the final index of it.
 */
export class WorkingIndex implements Disposable {
  readonly database: DatabaseSync
  readonly #inode: StatementSync
  readonly #dentry: StatementSync
  readonly #xattr: StatementSync
  readonly #object: StatementSync
  readonly #extent: StatementSync
  #lastIno = 0
  #lastPosition = 0

  /** `path`: a file that does not exist yet, or ':memory:'. It need not survive a crash. */
  constructor(path: string) {
    // SQLite takes an empty file for a new database, and makes one that all may read.
    if (path !== ':memory:') closeSync(openSync(path, 'wx', 0o600))
    this.database = new DatabaseSync(path)
    this.database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536')
    for (const table of tables) this.database.exec(table)
    this.database.exec('CREATE UNIQUE INDEX working_name ON dentry (parent, name); BEGIN')
    const insert = (table: string, columns: number): StatementSync =>
      this.database.prepare(`INSERT INTO ${table} VALUES (${Array(columns).fill('?').join(', ')})`)
    this.#inode = this.database.prepare(`REPLACE INTO inode VALUES (${Array(15).fill('?').join(', ')})`)
    this.#dentry = insert('dentry', 4)
    this.#xattr = insert('xattr', 3)
    this.#object = insert('object', 3)
    this.#extent = insert('extent', 4)
  }

  /** Returns the inode's provisional number; the first one is the top folder's. */
  addInode(inode: NewInode): number {
    const ino = ++this.#lastIno
    this.#inode.run(...valuesOf(ino, inode))
    for (const { name, value } of inode.xattrs ?? []) this.#xattr.run(ino, name, value)
    for (const { offset, length, objectOffset } of inode.extents ?? [])
      this.#extent.run(ino, offset, length, objectOffset)
    return ino
  }

  /** Gives an inode that has neither attributes nor extents, nor gets any, other values. */
  changeInode(ino: number, inode: NewInode): void {
    this.#inode.run(...valuesOf(ino, inode))
  }

  /** Names an inode; throws when the folder has such a name already. */
  addDentry(parent: number, name: FileName, ino: number): void {
    this.#dentry.run(parent, ++this.#lastPosition, bytesOfFileName(name), ino)
  }

  addObject({ id, size, sha256 }: NewObject): void {
    this.#object.run(Buffer.from(id, 'hex'), size, sha256)
  }

  [Symbol.dispose](): void {
    this.database.close()
  }
}

function valuesOf(ino: number, inode: NewInode): SQLInputValue[] {
  return [
    ino,
    inode.mode,
    0,
    inode.uid,
    inode.gid,
    inode.rdev,
    inode.size,
    inode.mtime.seconds,
    inode.mtime.nanoseconds,
    inode.ctime.seconds,
    inode.ctime.nanoseconds,
    inode.object === undefined ? null : Buffer.from(inode.object, 'hex'),
    inode.target === undefined ? null : Buffer.from(inode.target, 'latin1'),
    inode.extents === undefined ? 0 : 1,
    null,
  ]
}

import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { messageOf } from '../base/errors.ts'
import { fileKey } from '../destination/layout.ts'
import { SnapshotError } from './errors.ts'
import { rootIno } from './schema.ts'
import type { Dentry, Extent, FileName, Ino, OwnInode, OwnObjectRef, OwnTree, Timestamp } from './tree.ts'

/** Entries, or extents, fetched at a time: a listing is often left before its end, and a statement must not stay open meanwhile. */
const chunk = 256

/**
 * Columns of an inode and its object, in the order in which `inodeOf` takes them. Bytes come as hex digits, NULL as none of them: every blob
 * costs node:sqlite an ArrayBuffer, which makes a listing take half as long again.
 */
const inodeColumns = `inode.ino, mode, nlink, uid, gid, rdev, inode.size, mtime, mtime_ns, ctime, ctime_ns,
  hex(target), sparse, lower(hex(object.id)), object.size, hex(object.sha256)`
/** Behind them: what only a tree that is being changed has (`staging/working-schema.ts`). */
const accessColumns = { changing: 'atime, atime_ns', published: 'NULL, NULL' }
const withObject = 'LEFT JOIN object ON object.id = inode.object'

type Value = number | string | Uint8Array | null
type Row = readonly Value[]

export interface IndexTreeOptions {
  readonly onDamage?: ((error: SnapshotError) => SnapshotError) | undefined
  readonly isChanging?: boolean | undefined
}

/** A snapshot's tree, read in place from its validated file index. */
export class IndexTree implements OwnTree {
  readonly root = rootIno as Ino
  readonly #database: DatabaseSync
  readonly #repository: string
  readonly #onDamage: (error: SnapshotError) => SnapshotError
  readonly #inode: StatementSync
  readonly #lookup: StatementSync
  readonly #entries: StatementSync
  readonly #parent: StatementSync
  readonly #extents: StatementSync
  readonly #xattr: StatementSync
  readonly #xattrNames: StatementSync
  readonly #filesAfter: StatementSync
  readonly #objects: StatementSync
  readonly #hasXattrs: boolean

  /**
   * Reads the tables of `database`, which is the tree's from now on; `repository` is the prefix of its objects' keys. What a read throws is what `onDamage`
   * makes of it. `isChanging`: rows come and go, and have a time of access.
   */
  constructor(
    database: DatabaseSync,
    repository: string,
    { onDamage = (error) => error, isChanging = false }: IndexTreeOptions = {},
  ) {
    this.#onDamage = onDamage
    this.#repository = repository
    this.#database = database
    const prepare = (sql: string): StatementSync => {
      const statement = this.#database.prepare(sql)
      statement.setReturnArrays(true)
      return statement
    }
    const columns = `${inodeColumns}, ${isChanging ? accessColumns.changing : accessColumns.published}`
    this.#inode = prepare(`SELECT ${columns} FROM inode ${withObject} WHERE inode.ino = ?`)
    this.#lookup = prepare(
      `SELECT ${columns} FROM dentry INDEXED BY dentry_name CROSS JOIN inode ON inode.ino = dentry.ino ${withObject}
       WHERE dentry.parent = ? AND name = ?`,
    )
    this.#entries = prepare(
      `SELECT ${columns}, hex(name), position FROM dentry CROSS JOIN inode ON inode.ino = dentry.ino ${withObject}
       WHERE dentry.parent = ? AND position >= ? ORDER BY position LIMIT ${chunk}`,
    )
    this.#parent = prepare('SELECT parent FROM inode WHERE ino = ?')
    this.#extents = prepare(
      `SELECT offset, length, object_offset FROM extent
       WHERE ino = ?1 AND offset >= coalesce((SELECT max(offset) FROM extent WHERE ino = ?1 AND offset <= ?2), 0)
       ORDER BY offset LIMIT ${chunk}`,
    )
    this.#xattr = prepare('SELECT value FROM xattr WHERE ino = ? AND name = ?')
    this.#xattrNames = prepare('SELECT hex(name) FROM xattr WHERE ino = ? ORDER BY name')
    this.#filesAfter = prepare(
      `SELECT ${columns} FROM inode JOIN object ON object.id = inode.object
       WHERE inode.ino > ? ORDER BY inode.ino LIMIT ?`,
    )
    this.#objects = prepare('SELECT lower(hex(id)), size, hex(sha256) FROM object ORDER BY id')
    this.#hasXattrs = isChanging || this.#database.prepare('SELECT 1 FROM xattr LIMIT 1').get() !== undefined
  }

  /** Opens the file index at `path`, which nobody changes. Throws SQLite's own error when it is none. */
  static open(path: string, repository: string, options?: IndexTreeOptions): IndexTree {
    return new IndexTree(openIndex(path), repository, options)
  }

  inode(ino: Ino): OwnInode | undefined {
    return this.reading(() => this.#optional(this.#inode.get(ino) as Row | undefined))
  }

  lookup(parent: Ino, name: FileName): OwnInode | undefined {
    return this.reading(() =>
      this.#optional(this.#lookup.get(parent, Buffer.from(name, 'latin1')) as Row | undefined),
    )
  }

  *entries(parent: Ino, position: number): Iterable<Dentry<OwnObjectRef>> {
    let from = position
    for (;;) {
      const rows = this.reading(() => this.#entries.all(parent, from) as unknown as Row[])
      for (const row of rows) yield this.reading(() => this.#dentryOf(row))
      if (rows.length < chunk) return
      from = (rows.at(-1) as Row).at(-1) as number
      from++
    }
  }

  parentOf(folder: Ino): Ino {
    const row = this.reading(() => this.#parent.get(folder) as Row | undefined)
    return (row?.[0] ?? rootIno) as Ino
  }

  *extents(ino: Ino, offset: number): Iterable<Extent> {
    let from = offset
    for (;;) {
      const rows = this.reading(() => this.#extents.all(ino, from) as unknown as [number, number, number][])
      for (const [offset, length, objectOffset] of rows) {
        // That which ends before is no use to anybody.
        if (offset + length > from) yield { offset, length, objectOffset }
      }
      if (rows.length < chunk) return
      const [last, length] = rows.at(-1) as [number, number, number]
      from = last + length
    }
  }

  xattr(ino: Ino, name: string): Buffer | undefined {
    if (!this.#hasXattrs) return undefined
    const row = this.reading(() => this.#xattr.get(ino, Buffer.from(name, 'latin1')) as Row | undefined)
    return row && blobOf(row[0])
  }

  xattrNames(ino: Ino): readonly string[] {
    if (!this.#hasXattrs) return []
    return this.reading(() => this.#xattrNames.all(ino) as unknown as Row[]).map(([name]) => latin1Of(name))
  }

  filesAfter(ino: Ino, count: number): readonly OwnInode[] {
    return this.reading(() =>
      (this.#filesAfter.all(ino, count) as unknown as Row[]).map((row) => this.#inodeOf(row)),
    )
  }

  *objects(): Iterable<OwnObjectRef> {
    try {
      for (const row of this.#objects.iterate()) {
        const [id, size, sha256] = row as unknown as Row
        yield this.#objectOf(textOf(id), size, sha256)
      }
    } catch (error) {
      throw this.#onDamage(damaged(error))
    }
  }

  /** Validation has looked at every row once; what a disk or another process does to the file later ends here. For who reads more of the same database, too. */
  reading<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw this.#onDamage(damaged(error))
    }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  #optional(row: Row | undefined): OwnInode | undefined {
    return row && this.#inodeOf(row)
  }

  #dentryOf(row: Row): Dentry<OwnObjectRef> {
    return {
      inode: this.#inodeOf(row),
      name: latin1Of(row[18]) as FileName,
      position: numberOf(row[19]),
    }
  }

  #inodeOf(row: Row): OwnInode {
    const target = latin1Of(row[11])
    const objectId = textOf(row[13])
    return {
      ino: numberOf(row[0]) as Ino,
      mode: numberOf(row[1]),
      nlink: numberOf(row[2]),
      uid: numberOf(row[3]),
      gid: numberOf(row[4]),
      rdev: numberOf(row[5]),
      size: numberOf(row[6]),
      mtime: timestampOf(row[7], row[8]),
      ctime: timestampOf(row[9], row[10]),
      atime: row[16] === null ? undefined : timestampOf(row[16], row[17]),
      target: target === '' ? undefined : target,
      sparse: numberOf(row[12]) !== 0,
      object: objectId === '' ? undefined : this.#objectOf(objectId, row[14], row[15]),
    }
  }

  #objectOf(id: string, size: Value | undefined, sha256: Value | undefined): OwnObjectRef {
    return { id, key: fileKey(this.#repository, id), size: numberOf(size), sha256: bytesOf(sha256) }
  }
}

/** A file index that nobody changes. Throws SQLite's own error when it is none. */
export function openIndex(path: string): DatabaseSync {
  const url = pathToFileURL(path)
  // SQLite need not lock, nor look for a journal.
  url.search = 'immutable=1'
  const database = new DatabaseSync(url, { readOnly: true, enableForeignKeyConstraints: false })
  database.exec('PRAGMA trusted_schema = OFF; PRAGMA cache_size = -8192')
  return database
}

function damaged(error: unknown): SnapshotError {
  if (error instanceof SnapshotError) return error
  return new SnapshotError('bad-index', `the file index cannot be read: ${messageOf(error)}`, {
    cause: error,
  })
}

function numberOf(value: Value | undefined): number {
  if (typeof value !== 'number') throw unexpected('a number')
  return value
}

function textOf(value: Value | undefined): string {
  if (typeof value !== 'string') throw unexpected('text')
  return value
}

function blobOf(value: Value | undefined): Buffer {
  if (!(value instanceof Uint8Array)) throw unexpected('bytes')
  return Buffer.from(value.buffer, value.byteOffset, value.length)
}

/** Of hex digits. */
function bytesOf(value: Value | undefined): Buffer {
  return Buffer.from(textOf(value), 'hex')
}

function latin1Of(value: Value | undefined): string {
  return bytesOf(value).toString('latin1')
}

function timestampOf(seconds: Value | undefined, nanoseconds: Value | undefined): Timestamp {
  return { seconds: numberOf(seconds), nanoseconds: numberOf(nanoseconds) }
}

function unexpected(what: string): SnapshotError {
  return new SnapshotError('bad-index', `a row of the file index does not have ${what} where it should`)
}

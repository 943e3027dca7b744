import { hash } from 'node:crypto'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { type Refusal, refusal } from './faults.ts'
import type { MappedObject } from './mapped-row.ts'

/** What stands in `object` where the SHA-256 is not known. Readers take that of `foreign_object`. */
const unknownSha256 = `zeroblob(32)`

/**
 * The objects of a working index whose keys something else chose. They are written down as they come, and sorted at the end: to look for each among a million others takes
 * half of all the time.
 */
export class MappedObjects {
  readonly #database: DatabaseSync
  readonly #add: StatementSync

  constructor(database: DatabaseSync) {
    this.#database = database
    database.exec('CREATE TABLE object_row (id BLOB, size INTEGER, key TEXT, gzip INTEGER, sha256 BLOB)')
    this.#add = database.prepare('INSERT INTO object_row VALUES (?, ?, ?, ?, ?)')
  }

  /**
   * The id that stands for an object in the index, 24 hex digits. Rows that say of one key that it is packed otherwise, or has another SHA-256, get objects of their own: reading shows which
   * of them is right.
   */
  add({ key, isGzip, sha256 }: MappedObject, size: number): string {
    const id = hash('sha256', `${Number(isGzip)} ${sha256?.toString('hex') ?? ''} ${key}`).slice(0, 24)
    this.#add.run(Buffer.from(id, 'hex'), size, key, Number(isGzip), sha256 ?? null)
    return id
  }

  /** Brings the objects into the index; of one that has several sizes the least counts, and files that have another are taken from their folders. */
  *finish(): Iterable<Refusal> {
    this.#database.exec(
      `CREATE TABLE known_object AS SELECT id, min(size) AS size, max(size) AS largest, key, gzip, sha256 FROM object_row GROUP BY id ORDER BY id;
       DROP TABLE object_row;
       INSERT INTO main.object SELECT id, size, coalesce(sha256, ${unknownSha256}) FROM known_object ORDER BY rowid`,
    )
    const doubtful = this.#database.prepare('SELECT id, key FROM known_object WHERE size != largest').all()
    if (doubtful.length === 0) return
    const others = this.#database.prepare(
      'SELECT ino, inode.size FROM main.inode JOIN main.object ON object.id = inode.object WHERE inode.object = ? AND inode.size != object.size',
    )
    const leave = this.#database.prepare('DELETE FROM main.dentry WHERE ino = ?')
    for (const { id, key } of doubtful)
      for (const { ino, size } of others.all(id!)) {
        leave.run(ino!)
        yield refusal('size-disagrees', `${key} is smaller than ${size} bytes in another row`)
      }
  }

  /** Writes what format 1 does not have of the objects of a final index, attached as `final`. */
  complete(): void {
    this.#database.exec(
      `INSERT INTO final.foreign_object SELECT id, key, gzip, sha256 FROM known_object
       WHERE EXISTS (SELECT 1 FROM final.object WHERE object.id = known_object.id) ORDER BY rowid`,
    )
  }
}

import { hash } from 'node:crypto'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { foreignTables } from './foreign-tables.ts'
import type { MappedObject } from './mapped-row.ts'

/** What stands in `object` where the SHA-256 is not known. Readers take that of `foreign_object`. */
const unknownSha256 = Buffer.alloc(32)

/** The objects of a working index whose keys something else chose. */
export class MappedObjects {
  readonly #object: StatementSync
  readonly #foreign: StatementSync
  readonly #size: StatementSync

  constructor(database: DatabaseSync) {
    database.exec(foreignTables[0])
    this.#object = database.prepare('INSERT OR IGNORE INTO object VALUES (?, ?, ?)')
    this.#foreign = database.prepare('INSERT INTO foreign_object VALUES (?, ?, ?, ?)')
    this.#size = database.prepare('SELECT size FROM object WHERE id = ?')
  }

  /** The id that stands for an object in the index, 24 hex digits; undefined when it is known with another size. */
  add({ key, isGzip, sha256 }: MappedObject, size: number): string | undefined {
    const id = hash('sha256', key).slice(0, 24)
    const bytes = Buffer.from(id, 'hex')
    const isNew = this.#object.run(bytes, size, sha256 ?? unknownSha256).changes === 1
    if (isNew) this.#foreign.run(bytes, key, Number(isGzip), sha256 ?? null)
    else if (this.#size.get(bytes)?.size !== size) return undefined
    return id
  }
}

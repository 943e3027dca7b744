import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Abortable } from '../base/abort.ts'
import type { ObjectRef } from '../snapshot/tree.ts'
import type { ObjectKey, ObjectReader } from '../store/object-store.ts'

/** An object that snapshots refer to, and what lies under its key. */
export interface LedgerEntry {
  readonly key: ObjectKey
  /** Bytes, unpacked. */
  readonly size: number
  readonly packing: 'gzip' | undefined
  readonly sha256: Buffer | undefined
  /** Numbers of the snapshots that refer to it. */
  readonly snapshots: readonly number[]
  /** Bytes in the store; undefined: it is missing. */
  readonly found: number | undefined
}

/** NULL has no place in a primary key. */
const unknownSha256 = Buffer.alloc(0)

/**
 * What snapshots of foreign repositories refer to, and what lies there: by key, as objects may be called anything, and by what is to be found there. In a database on the disk, as there may be
 * millions.
 */
export class ObjectLedger implements Disposable {
  readonly #database: DatabaseSync
  readonly #refer: StatementSync
  readonly #find: StatementSync
  #unreferred = { count: 0, bytes: 0 }

  /** `path`: a file that does not exist yet. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path)
    this.#database.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
      CREATE TABLE object (key TEXT, size INTEGER, gzip INTEGER, sha256 BLOB, snapshots TEXT, found INTEGER, PRIMARY KEY (key, size, gzip, sha256)) WITHOUT ROWID; BEGIN`)
    this.#refer = this.#database.prepare(
      `INSERT INTO object VALUES (?, ?, ?, ?, ?, NULL) ON CONFLICT DO UPDATE SET snapshots = snapshots || ',' || excluded.snapshots`,
    )
    this.#find = this.#database.prepare('UPDATE object SET found = ? WHERE key = ?')
  }

  /** Objects, and bytes of them, that lie where those of snapshots do, and to which none refers. */
  get unreferred(): { readonly count: number; readonly bytes: number } {
    return this.#unreferred
  }

  refer({ key, size, packing, sha256 }: ObjectRef, snapshot: number): void {
    this.#refer.run(key, size, Number(packing === 'gzip'), sha256 ?? unknownSha256, String(snapshot))
  }

  /** Lists the folders below a repository (prefix of its keys) that have objects, a thousand keys a request. */
  async look(
    store: ObjectReader,
    repository: string,
    { signal, onListed = () => {} }: Abortable & { readonly onListed?: (count: number) => void },
  ): Promise<void> {
    let listed = 0
    for (const folder of this.#folders(repository))
      for await (const { objects } of store.list(folder, { signal })) {
        for (const { key, size } of objects) this.#see(key, size)
        listed += objects.length
        onListed(listed)
      }
  }

  /** All objects in the order of their keys, or those that are missing, or have another size than they should. */
  *entries(which: 'all' | 'wrong' = 'all'): Iterable<LedgerEntry> {
    const where = which === 'all' ? '' : 'WHERE found IS NULL OR (gzip = 0 AND found != size)'
    const rows = this.#database.prepare(`SELECT * FROM object ${where} ORDER BY key`)
    for (const { key, size, gzip, sha256, snapshots, found } of rows.iterate())
      yield {
        key: key as ObjectKey,
        size: size as number,
        packing: gzip === 1 ? 'gzip' : undefined,
        sha256: sha256 instanceof Uint8Array && sha256.length > 0 ? Buffer.from(sha256) : undefined,
        snapshots: String(snapshots).split(',').map(Number),
        found: found === null ? undefined : (found as number),
      }
  }

  /** How many objects are referred to, and their bytes, unpacked. */
  total(): { readonly count: number; readonly bytes: number } {
    const row = this.#database
      .prepare('SELECT count(DISTINCT key) AS count, total(size) AS bytes FROM object')
      .get()
    return { count: Number(row?.count), bytes: Number(row?.bytes) }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  #see(key: ObjectKey, size: number): void {
    if (this.#find.run(size, key).changes !== 0) return
    this.#unreferred = { count: this.#unreferred.count + 1, bytes: this.#unreferred.bytes + size }
  }

  /** Prefixes of keys, each the first folder below the repository. */
  #folders(repository: string): string[] {
    const rows = this.#database
      .prepare(`SELECT DISTINCT substr(key, 1, ?1 + instr(substr(key, ?1 + 1), '/')) AS folder FROM object`)
      .all(repository.length)
    return rows
      .map(({ folder }) => String(folder))
      .filter((folder) => folder.endsWith('/') && folder !== repository)
  }
}

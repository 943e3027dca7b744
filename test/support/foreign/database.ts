import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Text is latin1 that stands for bytes, which need not be UTF-8; a Buffer becomes a BLOB. */
export type Value = string | number | Buffer | null

/** The bytes of an SQLite database that `fill` makes. */
export function databaseBytes(fill: (db: DatabaseSync) => void, { wal = false } = {}): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'foreign-'))
  const path = join(folder, 'database')
  try {
    const db = new DatabaseSync(path)
    try {
      db.exec(`PRAGMA journal_mode = ${wal ? 'WAL' : 'DELETE'}; BEGIN`)
      fill(db)
      db.exec('COMMIT')
    } finally {
      // The last to close a database in WAL mode writes the log into it and removes it; the mode stays.
      db.close()
    }
    return readFileSync(path)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Inserts rows, whose members are the columns. */
export function insertAll(
  db: DatabaseSync,
  table: string,
  rows: Iterable<Readonly<Record<string, Value>>>,
): void {
  const statements = new Map<string, ReturnType<DatabaseSync['prepare']>>()
  for (const row of rows) {
    const columns = Object.keys(row)
    const places = columns.map((column) => (typeof row[column] === 'string' ? 'CAST(? AS TEXT)' : '?'))
    const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places.join(', ')})`
    const statement = statements.get(sql) ?? db.prepare(sql)
    statements.set(sql, statement)
    statement.run(...Object.values(row).map((value) => (typeof value === 'string' ? bytesOf(value) : value)))
  }
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

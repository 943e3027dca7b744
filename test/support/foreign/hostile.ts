import type { DatabaseSync } from 'node:sqlite'
import { databaseBytes } from './database.ts'

/** Databases that somebody made to harm whoever reads them; each has a table `files` that is in order. */

const files = `
  CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT, size INTEGER);
  INSERT INTO files VALUES (1, 'a', 1), (2, 'b', 2)`

export const pageSize = 4096

export interface SchemaObject {
  readonly type: 'table' | 'view' | 'trigger'
  readonly name: string
  /** What a trigger is on. */
  readonly on?: string
  readonly sql: string
}

/** A database with a schema that SQLite itself would not have taken: rows of sqlite_schema as they are given. */
export function databaseWithSchema(objects: readonly SchemaObject[]): Buffer {
  return databaseBytes((db) => {
    db.exec(files)
    db.enableDefensive(false)
    db.exec('PRAGMA writable_schema = ON')
    const insert = db.prepare('INSERT INTO sqlite_schema VALUES (?, ?, ?, 0, ?)')
    for (const { type, name, on = name, sql } of objects) insert.run(type, name, on, sql)
  })
}

const view = (name: string, sql: string): SchemaObject => ({
  type: 'view',
  name,
  sql: `CREATE VIEW ${name} AS ${sql}`,
})

/** Views that read themselves, straight and by another one. */
export const circularViews = (): Buffer =>
  databaseWithSchema([
    view('own', 'SELECT * FROM own'),
    view('here', 'SELECT * FROM there'),
    view('there', 'SELECT * FROM here'),
  ])

/** Each view reads the one before twice: the last one reads two to the power of `depth` tables. */
export function doublingViews(depth: number): Buffer {
  const views = Array.from({ length: depth }, (_, n) =>
    view(`v${n + 1}`, `SELECT * FROM v${n} UNION ALL SELECT * FROM v${n}`),
  )
  return databaseWithSchema([view('v0', 'SELECT path FROM files'), ...views])
}

/** Whatever may be run behind the back of who only reads a table. */
export const triggersAndFunctions = (): Buffer =>
  databaseWithSchema([
    view('loads', "SELECT load_extension('/tmp/x') AS path"),
    view('writes', "SELECT writefile('/tmp/jbfs-hostile', 'x') AS path"),
    view('fills', 'SELECT randomblob(1000000000) AS path'),
    view(
      'endless',
      'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS path FROM n',
    ),
    {
      type: 'trigger',
      name: 'on_insert',
      on: 'files',
      sql: 'CREATE TRIGGER on_insert AFTER INSERT ON files BEGIN DELETE FROM files; END',
    },
    {
      type: 'trigger',
      name: 'instead',
      on: 'fills',
      sql: 'CREATE TRIGGER instead INSTEAD OF DELETE ON fills BEGIN DELETE FROM files; END',
    },
  ])

/** Virtual tables that read files, or pages of the database below all checks. */
export const virtualTables = (): Buffer =>
  databaseWithSchema([
    {
      type: 'table',
      name: 'passwords',
      sql: "CREATE VIRTUAL TABLE passwords USING csv(filename='/etc/passwd')",
    },
    { type: 'table', name: 'pages', sql: 'CREATE VIRTUAL TABLE pages USING sqlite_dbpage' },
    { type: 'table', name: 'search', sql: "CREATE VIRTUAL TABLE search USING fts5(a, content='files')" },
  ])

/** Columns whose values are computed, by functions that are not there or must not be. */
export const computedColumns = (): Buffer =>
  databaseBytes((db) => {
    db.exec(files)
    db.exec("CREATE TABLE computed (a, b TEXT AS (upper(a))); INSERT INTO computed (a) VALUES ('x')")
    db.enableDefensive(false)
    db.exec('PRAGMA writable_schema = ON')
    db.exec(
      "UPDATE sqlite_schema SET sql = replace(sql, 'upper(a)', 'load_extension(a)') WHERE name = 'computed'",
    )
  })

/** A value of `megabytes` in a row, and names that are not for terminals. */
export const largeValues = (megabytes: number): Buffer =>
  databaseBytes((db) => {
    db.exec(files)
    db.exec(`INSERT INTO files VALUES (3, zeroblob(${megabytes} << 20), 3)`)
    db.exec(
      'CREATE TABLE "\u001b[31m""red\n" ("\u202e" TEXT); INSERT INTO "\u001b[31m""red\n" VALUES (\'x\')',
    )
  })

/** A table with enough rows for pages of all kinds: interior ones, overflowing ones, an index, and free ones. */
function fill(db: DatabaseSync): void {
  db.exec(files)
  db.exec('CREATE INDEX files_path ON files (path); CREATE TABLE gone (a); DELETE FROM files')
  const insert = db.prepare('INSERT INTO files VALUES (?, ?, ?)')
  for (let n = 1; n <= 300; n++) insert.run(n, n % 50 === 0 ? 'long'.repeat(3_000) : `path/to/file-${n}`, n)
  for (let n = 1; n <= 100; n++) db.prepare('INSERT INTO gone VALUES (?)').run('x'.repeat(500))
  db.exec('DROP TABLE gone')
}

export interface Damaged {
  readonly title: string
  readonly bytes: Buffer
}

/** Copies of one database, each with another fault in its pages. */
export function damagedDatabases(): Damaged[] {
  const sound = databaseBytes(fill)
  const pages = sound.length / pageSize
  const changed = (title: string, change: (bytes: Buffer) => void): Damaged => {
    const bytes = Buffer.from(sound)
    change(bytes)
    return { title, bytes }
  }
  const damaged = [
    ...[0, 1, 15, 16, 99, 100, pageSize - 1, pageSize, sound.length - 1, sound.length - pageSize].map(
      (length) => ({ title: `only its first ${length} bytes`, bytes: sound.subarray(0, length) }),
    ),
    ...[0, 1, 3, 256, 511, 65_535].map((size) =>
      changed(`a page size of ${size}`, (bytes) => void bytes.writeUInt16BE(size, 16)),
    ),
    changed('more pages than it has', (bytes) => void bytes.writeUInt32BE(0xffff_fffe, 28)),
    changed('free pages that lead to themselves', (bytes) => {
      const first = bytes.readUInt32BE(32)
      bytes.writeUInt32BE(first, (first - 1) * pageSize)
    }),
    changed('an encoding that there is not', (bytes) => void bytes.writeUInt32BE(9, 56)),
    changed('a schema format that there is not', (bytes) => void bytes.writeUInt32BE(99, 44)),
  ]
  // Each page as a whole: its type, its counters, its children.
  for (let page = 2; page <= pages; page++) {
    const at = (page - 1) * pageSize
    damaged.push(
      changed(`page ${page} is its own child`, (bytes) => {
        bytes.fill(5, at, at + 1)
        bytes.writeUInt32BE(page, at + 8)
        bytes.writeUInt16BE(0, at + 3)
      }),
    )
    if (page % 3 === 0)
      damaged.push(changed(`page ${page} is of ones`, (bytes) => void bytes.fill(0xff, at, at + pageSize)))
    if (page % 3 === 1)
      damaged.push(
        changed(
          `cells of page ${page} overlap`,
          (bytes) => void bytes.fill(bytes[at + 9] ?? 0, at + 8, at + 60),
        ),
      )
  }
  return damaged
}

/** A zstd frame (RFC 8878) of an SQLite header, and zeros up to `length` bytes: four bytes for each 128 KiB. */
export function zstdBomb(length: number): Buffer {
  const blockSize = 128 << 10
  const header = Buffer.from('SQLite format 3\0')
  // Magic; a window of 128 KiB, no content size, no checksum.
  const pieces = [
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]),
    blockHeader(0, header.length, false),
    header,
  ]
  const blocks = Math.ceil(length / blockSize)
  for (let block = 1; block <= blocks; block++)
    pieces.push(blockHeader(1, blockSize, block === blocks), Buffer.alloc(1))
  return Buffer.concat(pieces)
}

/** §3.1.1.2: type 0 is raw, 1 one byte that is repeated. */
function blockHeader(type: 0 | 1, size: number, isLast: boolean): Buffer {
  const header = Buffer.alloc(3)
  header.writeUIntLE((size << 3) | (type << 1) | (isLast ? 1 : 0), 0, 3)
  return header
}

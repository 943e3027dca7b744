import { isUtf8 } from 'node:buffer'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { ForeignError } from './errors.ts'
import { sqlName } from './sql-name.ts'

/** A scalar of JSON as SQLite keeps it. */
type Cell = string | number | bigint | null
type Cells = Map<string, Cell>
type Members = Readonly<Record<string, unknown>>

interface Table {
  readonly name: string
  readonly columns: Map<string, string>
  readonly rows: { readonly id: number; readonly parent: number | null; readonly cells: Cells }[]
}

/** More columns are data that somebody used as names. */
const mostColumns = 500
const deepest = 100

/**
 * Tables of a JSON document: one for each list of objects, called as the member that it is, with a column for each member that is no such list; those of objects in it are
 * joined by `_`. Each row has a number, `_id`; those of a list within a row have its number as their `_parent`. A list of the same name in a row of a list goes on in the same table: a tree of folders becomes rows with
 * parents. What stands in no list is the one row of the table `document`.
 */
export class JsonTables {
  readonly #tables = new Map<string, Table>()

  /** Throws `bad-database`. */
  static read(bytes: Buffer): JsonTables {
    const tables = new JsonTables()
    let document: unknown
    try {
      if (!isUtf8(bytes)) throw new Error('it is not UTF-8')
      document = parsed(bytes.toString().replace(/^\ufeff/, ''))
    } catch (error) {
      throw new ForeignError('bad-database', `it is no JSON: ${(error as Error).message}`, { cause: error })
    }
    if (isRows(document)) tables.#addRows('rows', document, null, 1)
    else tables.#addRows('document', [isMembers(document) ? document : { value: document }], null, 0)
    return tables
  }

  /** Makes an SQLite database of them. */
  write(path: string): void {
    const database = new DatabaseSync(path)
    try {
      database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN')
      for (const table of this.#tables.values()) writeTable(database, table)
      database.exec('COMMIT')
    } finally {
      database.close()
    }
  }

  #addRows(name: string, rows: readonly Members[], parent: number | null, depth: number): void {
    if (depth > deepest) throw new ForeignError('bad-database', `it is nested more than ${deepest} times`)
    // SQLite tells names apart without regard to case.
    const key = name.toLowerCase()
    const table: Table = this.#tables.get(key) ?? { name, columns: new Map(), rows: [] }
    this.#tables.set(key, table)
    for (const row of rows) {
      const cells: Cells = new Map()
      const id = table.rows.length + 1
      table.rows.push({ id, parent, cells })
      this.#addMembers(table, row, '', { id, cells, depth })
    }
  }

  #addMembers(
    table: Table,
    members: Members,
    prefix: string,
    row: { readonly id: number; readonly cells: Cells; readonly depth: number },
  ): void {
    // Whatever is outside of lists has no row that others need a number of.
    const parent = row.depth === 0 ? null : row.id
    for (const [member, value] of Object.entries(members)) {
      const name = prefix + member
      if (isRows(value)) this.#addRows(member, value, parent, row.depth + 1)
      else if (isMembers(value) && name.length < 200) this.#addMembers(table, value, `${name}_`, row)
      else row.cells.set(columnOf(table, name), cellOf(value))
    }
  }
}

/** The name under which a column is kept: those that SQLite would take for the same one are one. */
function columnOf(table: Table, name: string): string {
  const key = name.toLowerCase()
  const known = table.columns.get(key)
  if (known !== undefined) return known
  if (key === '_id' || key === '_parent') return columnOf(table, `${name}_`)
  if (table.columns.size >= mostColumns)
    throw new ForeignError('bad-database', `its objects have more than ${mostColumns} different members`)
  table.columns.set(key, name)
  return name
}

function writeTable(database: DatabaseSync, { name, columns, rows }: Table): void {
  const names = [...columns.values()]
  const isNested = rows.some(({ parent }) => parent !== null)
  const own = isNested ? ['_id INTEGER PRIMARY KEY', '_parent INTEGER'] : ['_id INTEGER PRIMARY KEY']
  const declared = [...own, ...names.map(sqlName)]
  database.exec(`CREATE TABLE ${sqlName(name)} (${declared})`)
  const insert: StatementSync = database.prepare(
    `INSERT INTO ${sqlName(name)} VALUES (${declared.map(() => '?')})`,
  )
  for (const { id, parent, cells } of rows)
    insert.run(id, ...(isNested ? [parent] : []), ...names.map((column) => cells.get(column) ?? null))
}

function cellOf(value: unknown): Cell {
  if (value === null || typeof value === 'string') return value
  // node:sqlite makes REAL of all numbers.
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  // What no column of SQLite holds stays as it was written.
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? value : String(value)
  return typeof value === 'boolean' ? BigInt(value) : JSON.stringify(value, (_, part) => rawNumber(part))
}

/** Whole numbers that a `number` would round, such as nanoseconds since 1970, come as bigint. */
function parsed(text: string): unknown {
  // To look at each value takes a while, and most documents have no such numbers.
  if (!/\d{16}/.test(text)) return JSON.parse(text)
  const exact = (_: string, value: unknown, { source = '' }: { readonly source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source)
      ? BigInt(source)
      : value
  return JSON.parse(text, exact as (key: string, value: unknown) => unknown)
}

/** `JSON.rawJSON` is younger than the types that TypeScript has of JSON. */
function rawNumber(part: unknown): unknown {
  return typeof part === 'bigint'
    ? (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(part))
    : part
}

function isRows(value: unknown): value is readonly Members[] {
  return Array.isArray(value) && value.length > 0 && value.every(isMembers)
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

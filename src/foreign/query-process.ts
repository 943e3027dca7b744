/**
 * What `DatabaseProcess` starts: reads foreign databases for it. Whatever they make of SQLite happens here, and ends with this process.
 */
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { messageOf } from '../base/errors.ts'
import { allowReading } from './authorizer.ts'
import { ForeignError, type ForeignErrorCode } from './errors.ts'
import { losslessQuery, losslessValue, type TextEncoding } from './lossless.ts'
import {
  bytesOfRow,
  type Parameters,
  type QueryAnswer,
  type QueryRequest,
  type Row,
  type Value,
} from './query-protocol.ts'

/** Rows at a time, and about how many bytes of them. */
const batchRows = 1024
const batchBytes = 1 << 20

/** Bytes of a value, and of a row: no name, path or id comes near it. */
const largestValue = 16 << 20

/** Primary result codes of SQLite that say something of the file, or of what was left of memory and disk; any other says something of the query. */
const codes: Readonly<Record<number, ForeignErrorCode>> = {
  7: 'query-limit',
  10: 'bad-database',
  11: 'bad-database',
  13: 'query-limit',
  14: 'bad-database',
  26: 'bad-database',
}

let database: DatabaseSync | undefined
/** Of all that are attached: SQLite takes no others. */
let encoding: TextEncoding = 'UTF-8'
const queries = new Map<number, Iterator<unknown>>()

function open([path = '', ...others]: readonly string[]): void {
  database = new DatabaseSync(immutable(path), {
    readOnly: true,
    defensive: true,
    enableForeignKeyConstraints: false,
    enableDoubleQuotedStringLiterals: true,
    allowUnknownNamedParameters: true,
    returnArrays: true,
    limits: { length: largestValue },
  })
  if (typeof database.setAuthorizer !== 'function')
    throw new ForeignError(
      'bad-query',
      `foreign databases need Node.js 24.10, and this is ${process.version}`,
    )
  database.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -16384')
  encoding = (database.prepare('PRAGMA encoding').get() as unknown as [TextEncoding])[0]
  const attach = others.map((other, place) => {
    const name = `db${place + 2}`
    database?.prepare(`ATTACH ? AS ${name}`).run(immutable(other).href)
    return name
  })
  database.setAuthorizer(allowReading)
  for (const name of ['main', ...attach]) database.prepare(`SELECT count(*) FROM ${name}.sqlite_schema`).get()
}

/** SQLite then looks for no journal: one that is missing hides nothing, and a database in WAL mode opens without its own. */
function immutable(path: string): URL {
  const url = pathToFileURL(path)
  url.search = 'mode=ro&immutable=1'
  return url
}

function begin(query: number, sql: string, parameters: Parameters): void {
  const { database } = opened()
  const single = sql.replace(/[\s;]+$/, '')
  // On its own first: what is only half a statement must not become a whole one.
  const columns = database.prepare(single).columns().length
  if (columns === 0) throw new ForeignError('bad-query', 'it is no query that gives rows')
  queries.set(query, database.prepare(losslessQuery(single, columns)).iterate(parameters))
}

function opened(): { readonly database: DatabaseSync } {
  if (database === undefined) throw new ForeignError('bad-database', 'no database is open')
  return { database }
}

function next(query: number): Row[] {
  const rows: Row[] = []
  let bytes = 0
  while (rows.length < batchRows && bytes < batchBytes) {
    const found = queries.get(query)?.next()
    if (found === undefined || found.done === true) {
      queries.delete(query)
      break
    }
    const row = (found.value as Value[]).map((value) => losslessValue(value, encoding))
    bytes += bytesOfRow(row)
    rows.push(row)
  }
  return rows
}

function answer(request: QueryRequest): QueryAnswer {
  try {
    if (request.ask === 'open') open(request.paths)
    else if (request.ask === 'begin') begin(request.query, request.sql, request.parameters)
    else if (request.ask === 'next') return { rows: next(request.query) }
    else {
      queries.get(request.query)?.return?.()
      queries.delete(request.query)
    }
    return { rows: [] }
  } catch (error) {
    return { code: codeFor(error, request.ask), message: messageOf(error) }
  }
}

function codeFor(error: unknown, ask: QueryRequest['ask']): ForeignErrorCode {
  if (error instanceof ForeignError) return error.code
  const result = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  // Nobody has asked a query yet that could be wrong.
  return codes[result] ?? (ask === 'open' ? 'bad-database' : 'bad-query')
}

process.on('message', (request) => process.send?.(answer(request as QueryRequest)))

import type { Abortable } from '../base/abort.ts'
import { messageOf } from '../base/errors.ts'
import type { ObjectReader } from '../store/object-store.ts'
import { type Look, looksOf, said, textOfValue } from './column-looks.ts'
import { ForeignError } from './errors.ts'
import type { ForeignDatabase } from './foreign-database.ts'
import type { ObjectNames } from './object-names.ts'
import { type LookedAtObject, lookAtObjects } from './packed-size.ts'
import { findParentIds, type ParentIds } from './parent-ids.ts'
import type { Value } from './query-protocol.ts'
import { columnExpressions, type Sample, type SampledColumn, sampleRows } from './sampled-rows.ts'
import { objectColumnOf, objectsOf, sizeLooks, someObjects } from './size-looks.ts'
import { sqlName } from './sql-name.ts'

export interface ColumnProfile {
  readonly name: string
  /** As the schema says; '' for no type. */
  readonly declared: string
  readonly isPrimaryKey: boolean
  /** Storage classes of SQLite that values have, with their shares, 0 … 1. */
  readonly types: Readonly<Record<string, number>>
  /** Of the sampled values that are not empty. */
  readonly distinct: number
  readonly looks: readonly Look[]
}

export interface IndexProfile {
  readonly name: string
  readonly isUnique: boolean
  /** Null for an expression. */
  readonly columns: readonly (string | null)[]
}

export interface TableProfile {
  readonly name: string
  readonly kind: 'table' | 'view'
  readonly columns: readonly ColumnProfile[]
  readonly indexes: readonly IndexProfile[]
  readonly sample: Sample
  /** By which rows stand in each other, if they do. */
  readonly parents: ParentIds | undefined
  /** Some of the objects that are named in it. */
  readonly objects: readonly LookedAtObject[]
  /** Why it cannot be read. */
  readonly problem: string | undefined
}

export interface ProfileOptions extends Abortable {
  readonly store: ObjectReader
  readonly objects: ObjectNames
}

/** Tables of one database that may take too long, before the others are not tried: each costs the whole time. */
const mostOverLimit = 3

/** Tables of a database; those further on are left out. */
const mostTables = 200

/** What the tables of a database hold, as far as it shows. What is wrong with one of them is said in its profile. */
export async function profileDatabase(
  database: ForeignDatabase,
  options: ProfileOptions,
): Promise<TableProfile[]> {
  const tables = await database.rows(
    `SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
     ORDER BY type, name LIMIT ${mostTables}`,
    { signal: options.signal },
  )
  const profiles: TableProfile[] = []
  let overLimit = 0
  for (const [name, type] of tables) {
    const empty = emptyProfile(String(name), type === 'view' ? 'view' : 'table')
    if (overLimit === mostOverLimit) {
      profiles.push({ ...empty, problem: 'not looked at, as others took too long' })
      continue
    }
    try {
      profiles.push(await profileTable(database, empty, options))
    } catch (error) {
      if (!(error instanceof ForeignError)) throw error
      if (error.code === 'query-limit') overLimit++
      profiles.push({ ...empty, problem: messageOf(error) })
    }
  }
  return profiles
}

function emptyProfile(name: string, kind: TableProfile['kind']): TableProfile {
  const sample = { rows: 0, columns: [] }
  return { name, kind, columns: [], indexes: [], sample, parents: undefined, objects: [], problem: undefined }
}

async function profileTable(
  database: ForeignDatabase,
  empty: TableProfile,
  options: ProfileOptions,
): Promise<TableProfile> {
  const { name } = empty
  const { signal } = options
  const declared = await database.rows(
    'SELECT name, type, pk FROM pragma_table_xinfo(:name) WHERE hidden <> 1',
    { parameters: { name }, signal },
  )
  const names = declared.map(([column]) => String(column))
  const sample = await sampleRows(database, sqlName(name), columnExpressions(name, names), { signal })
  const found = await relations(database, sqlName(name), sample, options)
  const columns = sample.columns.map((column, index) => ({
    name: column.name,
    declared: String(declared[index]?.[1] ?? ''),
    isPrimaryKey: declared[index]?.[2] !== 0,
    types: typesOf(column.values),
    distinct: new Set(said(column.values).map(textOfValue)).size,
    looks: [...(found.looks.get(column.name) ?? []), ...looksOf(column.values, options.objects)],
  }))
  const indexes = await indexesOf(database, name, { signal })
  return { ...empty, columns, indexes, sample, parents: found.parents, objects: found.objects }
}

export interface Relations {
  /** What columns look like by what stands beside them. */
  readonly looks: ReadonlyMap<string, readonly Look[]>
  readonly parents: ParentIds | undefined
  readonly objects: readonly LookedAtObject[]
}

/** What the columns of a sample say together. */
export async function relations(
  database: ForeignDatabase,
  from: string,
  { columns }: Sample,
  { store, objects, signal }: ProfileOptions,
): Promise<Relations> {
  const looks = new Map<string, Look[]>()
  const add = (name: string, look: Look): void => void looks.set(name, [...(looks.get(name) ?? []), look])
  const parents = await findParentIds(database, from, columns, { signal }).catch((error: unknown) => {
    // What has been seen of the table is still worth showing.
    if (error instanceof ForeignError && error.code === 'query-limit') return undefined
    throw error
  })
  if (parents !== undefined) {
    const { id, parent, share } = parents
    add(id, { role: 'id', share, detail: parent })
    add(parent, { role: 'parent', share, detail: id })
  }
  const object = objectColumnOf(columns, objects)
  if (object === undefined) return { looks, parents, objects: [] }
  const named = objectsOf(object.column, objects)
  const looked = await lookAtObjects(store, someObjects(named), { signal })
  for (const [name, look] of sizeLooks(columns, named, looked)) add(name, look)
  return { looks, parents, objects: looked }
}

function typesOf(values: SampledColumn['values']): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const value of values) {
    const type = typeOfValue(value)
    counts[type] = (counts[type] ?? 0) + 1
  }
  return Object.fromEntries(Object.entries(counts).map(([type, count]) => [type, count / values.length]))
}

/** Text that is no UTF-8 comes as bytes. */
function typeOfValue(value: Value): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return 'text'
  if (typeof value === 'object') return 'binary'
  return typeof value === 'bigint' || Number.isInteger(value) ? 'integer' : 'real'
}

async function indexesOf(
  database: ForeignDatabase,
  table: string,
  { signal }: Abortable,
): Promise<IndexProfile[]> {
  const rows = await database.rows(
    `SELECT list.name, list."unique", info.name FROM pragma_index_list(:table) AS list JOIN pragma_index_info(list.name) AS info ORDER BY list.seq, info.seqno`,
    { parameters: { table }, signal },
  )
  const indexes = new Map<string, { isUnique: boolean; columns: (string | null)[] }>()
  for (const [name, unique, column] of rows) {
    const index = indexes.get(String(name)) ?? { isUnique: unique === 1, columns: [] }
    index.columns.push(column === null ? null : String(column))
    indexes.set(String(name), index)
  }
  return [...indexes].map(([name, index]) => ({ name, ...index }))
}

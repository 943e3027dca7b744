import type { Abortable } from '../base/abort.ts'
import { type Look, looksOf, said } from './column-looks.ts'
import type { ForeignDatabase } from './foreign-database.ts'
import type { LookedAtObject } from './packed-size.ts'
import type { ParentIds } from './parent-ids.ts'
import { type ProfileOptions, relations, type TableProfile } from './profile.ts'
import { columnExpressions, type SampledColumn, sampleRows } from './sampled-rows.ts'
import { sqlName } from './sql-name.ts'

export interface SourceColumn extends SampledColumn {
  readonly looks: readonly Look[]
}

/** What can stand behind FROM in a mapping, and what is known of its rows. */
export interface TableSource {
  readonly from: string
  readonly rows: number
  readonly columns: readonly SourceColumn[]
  readonly parents: ParentIds | undefined
  readonly objects: readonly LookedAtObject[]
}

export function sourceOf({ name, sample, columns, parents, objects }: TableProfile): TableSource {
  return {
    from: sqlName(name),
    rows: sample.rows,
    columns: sample.columns.map((column, index) => ({ ...column, looks: columns[index]?.looks ?? [] })),
    parents,
    objects,
  }
}

export function lookOf({ looks }: SourceColumn, role: Look['role']): Look | undefined {
  return looks.find((look) => look.role === role)
}

/** One table beside another, by a column of each. */
interface Join {
  readonly other: TableProfile
  readonly column: string
  readonly key: string
}

/**
 * The table together with those that have what it lacks: one that has the objects its rows refer to, and one with further facts of some of its rows, such as the targets of symlinks.
 */
export async function joinedSource(
  database: ForeignDatabase,
  table: TableProfile,
  others: readonly TableProfile[],
  options: ProfileOptions,
): Promise<TableSource> {
  const joins: Join[] = []
  const hasObjects = table.columns.some(({ looks }) => looks.some(({ role }) => role === 'object'))
  const withObjects = others.filter(({ columns }) =>
    columns.some(({ looks }) => looks.some(({ role }) => role === 'object')),
  )
  if (!hasObjects) joins.push(...(await bestReference(database, table, withObjects, options)))
  const id = table.parents?.id
  if (id !== undefined)
    for (const other of others)
      if (!withObjects.includes(other)) joins.push(...(await extension(database, table, id, other, options)))
  return joins.length === 0 ? sourceOf(table) : await sourceOfJoins(database, table, joins, options)
}

async function sourceOfJoins(
  database: ForeignDatabase,
  table: TableProfile,
  joins: readonly Join[],
  options: ProfileOptions,
): Promise<TableSource> {
  const name = sqlName(table.name)
  const parts = joins.map(
    ({ other, column, key }) =>
      `LEFT JOIN ${sqlName(other.name)} ON ${sqlName(other.name)}.${sqlName(key)} = ${name}.${sqlName(column)}`,
  )
  const from = [name, ...parts].join(' ')
  const expressions = columnExpressions(table.name, namesOf(table))
  for (const { other } of joins)
    for (const [column, sql] of columnExpressions(other.name, namesOf(other)))
      expressions.set(`${other.name}.${column}`, sql)
  const sample = await sampleRows(database, from, expressions, options)
  const found = await relations(database, from, sample, options)
  const columns = sample.columns.map((column) => ({
    ...column,
    looks: [...(found.looks.get(column.name) ?? []), ...looksOf(column.values, options.objects)],
  }))
  return { from, rows: sample.rows, columns, parents: found.parents, objects: found.objects }
}

function namesOf({ sample }: TableProfile): readonly string[] {
  return sample.columns.map(({ name }) => name)
}

/** Of all columns whose every value is in the other table, that by which most of its rows are meant: small numbers are in many columns. */
async function bestReference(
  database: ForeignDatabase,
  table: TableProfile,
  others: readonly TableProfile[],
  options: Abortable,
): Promise<readonly Join[]> {
  const found: { readonly join: Join; readonly covered: number }[] = []
  for (const other of others)
    for (const key of keysOf(other))
      for (const { name, values } of table.sample.columns) {
        if (name === table.parents?.id || name === table.parents?.parent || said(values).length === 0)
          continue
        const { isWithin, covered } = await comparison(database, table, name, other, key, options)
        if (isWithin) found.push({ join: { other, column: name, key }, covered })
      }
  return found
    .toSorted((a, b) => b.covered - a.covered)
    .map(({ join }) => join)
    .slice(0, 1)
}

/** A smaller table, each of whose rows belongs to one of the rows. */
async function extension(
  database: ForeignDatabase,
  table: TableProfile,
  id: string,
  other: TableProfile,
  options: Abortable,
): Promise<readonly Join[]> {
  if (other.kind === 'view' || other.sample.rows === 0 || other.sample.rows >= table.sample.rows) return []
  for (const key of keysOf(other)) {
    const { isWithin } = await comparison(database, other, key, table, id, options)
    if (isWithin) return [{ other, column: id, key }]
  }
  return []
}

/** Columns that tell rows apart. */
function keysOf({ sample }: TableProfile): readonly string[] {
  return sample.columns
    .filter(
      ({ values }) => values.length > 0 && new Set(values).size === values.length && !values.includes(null),
    )
    .map(({ name }) => name)
}

async function comparison(
  database: ForeignDatabase,
  table: TableProfile,
  column: string,
  other: TableProfile,
  key: string,
  { signal }: Abortable,
): Promise<{ readonly isWithin: boolean; readonly covered: number }> {
  const value = sqlName(column)
  const sql = `SELECT count(*), sum(${value} IN (SELECT ${sqlName(key)} FROM ${sqlName(other.name)})), count(DISTINCT ${value})
    FROM ${sqlName(table.name)} WHERE ${value} IS NOT NULL`
  const [row = []] = await database.rows(sql, { signal })
  const [count = 0, within = 0, distinct = 0] = row.map(Number)
  return { isWithin: count > 0 && within === count, covered: distinct / Math.max(1, other.sample.rows) }
}

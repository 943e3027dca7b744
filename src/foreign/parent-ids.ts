import type { Abortable } from '../base/abort.ts'
import { said, textOfValue } from './column-looks.ts'
import type { ForeignDatabase } from './foreign-database.ts'
import type { SampledColumn } from './sampled-rows.ts'

/** Columns by which rows stand in each other. */
export interface ParentIds {
  readonly id: string
  readonly parent: string
  /** The name in the folder: no two rows of a parent have the same. */
  readonly name: string
  /** Of the rows, those whose parent is another row, or none: 0 … 1. */
  readonly share: number
}

/** What a row at the top may say of its parent. */
const noParent = `(0, -1, '', '0')`

/** Pairs of columns that are tried on the whole table: each takes a second or two of a million rows. */
const mostPairs = 24

/** Parents of which it is seen first whether they are ids. */
const fewParents = 50

const leastShare = 0.9
/** Most rows stand in a folder that is a row, too. */
const mostAtTop = 0.5

/** Looks for columns by which rows name each other as parents. */
export async function findParentIds(
  database: ForeignDatabase,
  from: string,
  columns: readonly SampledColumn[],
  { signal }: Abortable = {},
): Promise<ParentIds | undefined> {
  const ids = columns.filter(isIdLike)
  const names = columns.filter(isNameLike).toSorted((a, b) => nameLikelihood(b) - nameLikelihood(a))
  const found: ParentIds[] = []
  let tries = 0
  for (const id of ids)
    for (const parent of columns.filter((column) => isParentLike(column, id))) {
      if (names.length === 0 || ++tries > mostPairs) continue
      if ((await foundAmong(database, from, id.sql, parent, { signal })) < leastShare) continue
      const share = await parentShare(database, from, id.sql, parent.sql, { signal })
      if (share < leastShare) continue
      const name = await firstUnique(database, from, parent.sql, names.slice(0, 4), { signal })
      if (name !== undefined) found.push({ id: id.name, parent: parent.name, name: name.name, share })
    }
  return found.toSorted((a, b) => likelihood(b) - likelihood(a))[0]
}

/** Numbers of other things may all be ids by chance, too. */
function likelihood({ id, parent, share }: ParentIds): number {
  return share + (/par|^p$|^p?dir|folder/i.test(parent) ? 1 : 0) + (/id|^i$|no|num|key/i.test(id) ? 0.5 : 0)
}

function isIdLike(column: SampledColumn): boolean {
  const { values } = column
  return values.length > 1 && said(values).length === values.length && distinctOf(column) === values.length
}

function isParentLike(column: SampledColumn, id: SampledColumn): boolean {
  if (column.name === id.name) return false
  const some = said(column.values)
  const isSameType = typeof some[0] === typeof id.values[0]
  return isSameType && some.length >= column.values.length * mostAtTop && distinctOf(column) > 1
}

function isNameLike({ values }: SampledColumn): boolean {
  const some = said(values)
  const isText = some.every(
    (value) => typeof value !== 'number' && typeof value !== 'bigint' && !textOfValue(value).includes('/'),
  )
  // The top folder may have no name.
  return isText && some.length > 0 && some.length >= values.length - 1
}

/** Hashes are different in each row, too. */
function nameLikelihood(column: SampledColumn): number {
  const isNamed = /name|base|^n$|title|label/i.test(column.name.slice(column.name.lastIndexOf('.') + 1))
  return distinctOf(column) / Math.max(1, column.values.length) + (isNamed ? 1 : 0)
}

function distinctOf({ values }: SampledColumn): number {
  return new Set(said(values).map(textOfValue)).size
}

/** Of a few parents, the share that is there as an id: most pairs fail here, at a hundredth of the work. */
async function foundAmong(
  database: ForeignDatabase,
  from: string,
  id: string,
  { values }: SampledColumn,
  { signal }: Abortable,
): Promise<number> {
  const distinct = [...new Set(said(values))].filter(
    (value) => typeof value !== 'object' && !['0', '-1'].includes(String(value)),
  )
  const few = distinct.slice(0, fewParents)
  if (few.length === 0) return 1
  const sql = `SELECT count(DISTINCT ${id}) FROM ${from} WHERE ${id} IN (SELECT value FROM json_each(:few))`
  const parameters = {
    few: JSON.stringify(few, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
  }
  const [[count = 0] = []] = await database.rows(sql, { parameters, signal })
  return Number(count) / few.length
}

async function parentShare(
  database: ForeignDatabase,
  from: string,
  id: string,
  parent: string,
  { signal }: Abortable,
): Promise<number> {
  const sql = `SELECT count(*), count(DISTINCT id), sum(parent IN (SELECT ${id} FROM ${from})),
      sum(parent IS NULL OR parent IN ${noParent}), count(DISTINCT parent)
    FROM (SELECT ${id} AS id, ${parent} AS parent FROM ${from})`
  const [row = []] = await database.rows(sql, { signal })
  const [rows = 0, ids = 0, inside = 0, top = 0, parents = 0] = row.map(Number)
  if (ids !== rows || parents >= rows || top > rows * mostAtTop) return 0
  return Math.min(1, (inside + top) / rows)
}

async function firstUnique(
  database: ForeignDatabase,
  from: string,
  parent: string,
  names: readonly SampledColumn[],
  { signal }: Abortable,
): Promise<SampledColumn | undefined> {
  for (const name of names) if (await isUnique(database, from, [parent, name.sql], { signal })) return name
  return undefined
}

/** Whether no two rows have the same in all of these. */
export async function isUnique(
  database: ForeignDatabase,
  from: string,
  expressions: readonly string[],
  { signal }: Abortable,
): Promise<boolean> {
  const sql = `SELECT (SELECT count(*) FROM (SELECT DISTINCT ${expressions} FROM ${from})) = (SELECT count(*) FROM ${from})`
  const [[isSame] = []] = await database.rows(sql, { signal })
  return isSame === 1
}

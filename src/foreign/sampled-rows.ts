import type { Abortable } from '../base/abort.ts'
import type { ForeignDatabase } from './foreign-database.ts'
import type { Row, Value } from './query-protocol.ts'
import { sqlName } from './sql-name.ts'

/** Rows that are looked at of a table: shares are then right to a percent or two. */
const sampleSize = 5000
/** Bytes of a value. */
const valueLength = 1024

/** A column of what stands behind FROM. */
export interface SampledColumn {
  readonly name: string
  /** SQL for it. */
  readonly sql: string
  readonly values: readonly Value[]
}

export interface Sample {
  /** All of them. */
  readonly rows: number
  /** Of these at most `sampleSize`, from all over the table, at the same places in each column. */
  readonly columns: readonly SampledColumn[]
}

/** Rows of what stands behind FROM; `expressions` are SQL by name. */
export async function sampleRows(
  database: ForeignDatabase,
  from: string,
  expressions: ReadonlyMap<string, string>,
  { signal }: Abortable = {},
): Promise<Sample> {
  const [[count = 0] = []] = await database.rows(`SELECT count(*) FROM ${from}`, { signal })
  const rows = Number(count)
  const step = Math.ceil(rows / sampleSize)
  const names = [...expressions.values()].map((_, index) => `v${index}`)
  const values = [...expressions.values()].map((sql, index) => `${sql} AS v${index}`)
  const cut = names.map(
    (name) =>
      `iif(typeof(${name}) IN ('text', 'blob') AND octet_length(${name}) > ${valueLength}, substr(${name}, 1, ${valueLength}), ${name})`,
  )
  const sql =
    step <= 1
      ? `SELECT ${cut} FROM (SELECT ${values} FROM ${from})`
      : `SELECT ${cut} FROM (SELECT ${values}, row_number() OVER () AS n FROM ${from}) WHERE n % ${step} = 1`
  const sampled: Row[] = await database.rows(sql, { signal, maxRows: sampleSize })
  const columns = [...expressions].map(([name, sql], index) => ({
    name,
    sql,
    values: sampled.map((row) => row[index] ?? null),
  }))
  return { rows, columns }
}

/** SQL for each of the columns of a table. */
export function columnExpressions(table: string, names: readonly string[]): Map<string, string> {
  return new Map(names.map((name) => [name, `${sqlName(table)}.${sqlName(name)}`]))
}

import type { Mapping } from './mapping.ts'
import { columnNames } from './mapping-columns.ts'

/**
 * The statement whose rows have the columns of `columnNames`, in this order. Each text of the mapping stands on lines of its own, so that a comment at its end does
 * not reach what follows.
 */
export function rowsSql({ columns, from, where }: Mapping): string {
  const selected = columnNames.map((name) => `(\n${columns[name] ?? 'NULL'}\n) AS "${name}"`)
  const condition = where === undefined ? '' : `\nWHERE (\n${where}\n)`
  return `SELECT ${selected.join(', ')}\nFROM ${from}${condition}`
}

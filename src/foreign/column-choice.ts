import type { ColumnName } from './mapping-columns.ts'
import type { SourceColumn } from './table-source.ts'

export interface Proposal {
  readonly sql: string
  /** 0 … 1. */
  readonly confidence: number
  /** What speaks for it. */
  readonly why: string
}

export type Proposals = { readonly [Name in ColumnName]?: Proposal }

/** A column that may be the one that is looked for. */
export interface Choice extends Omit<Proposal, 'sql'> {
  readonly column: SourceColumn
}

export function proposal({ column, confidence, why }: Choice): Proposal {
  return { sql: column.sql, confidence, why }
}

/** The one with the greatest score; those without any are none. */
export function bestOf(
  columns: readonly SourceColumn[],
  score: (column: SourceColumn) => number | undefined,
): SourceColumn | undefined {
  let best: { readonly column: SourceColumn; readonly score: number } | undefined
  for (const column of columns) {
    const found = score(column)
    if (found !== undefined && (best === undefined || found > best.score)) best = { column, score: found }
  }
  return best?.column
}

/** How much speaks for a column of which `share` of the values, if any, look right: its name counts half as much as all of them. */
export function scored(share: number | undefined, { name }: SourceColumn, hint: RegExp): number | undefined {
  return share === undefined ? undefined : share + (hint.test(lastName(name)) ? 0.5 : 0)
}

/** Of a joined table's column, its own name. */
export function lastName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

export function shareOf<T>(items: readonly T[], is: (item: T) => boolean): number {
  return items.length === 0 ? 0 : items.filter(is).length / items.length
}

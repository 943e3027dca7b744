import { bestOf, type Choice, shareOf } from './column-choice.ts'
import { isSaid } from './column-looks.ts'
import { lookOf, type SourceColumn } from './table-source.ts'

/** The name that it is likely to have. */
const hint = /link|target|^ln$|point|dest/i

/** The column of the targets of symlinks. `rowTypes`: the type bits of each row's mode, where there are modes. */
export function proposeTarget(
  columns: readonly SourceColumn[],
  rowHasObject: readonly boolean[],
  rowTypes: readonly number[] | undefined,
): Choice | undefined {
  const column = bestOf(columns, (each) => targetScore(each, rowHasObject, rowTypes))
  if (column === undefined) return undefined
  return { column, confidence: hint.test(column.name) ? 0.9 : 0.6, why: 'stands in rows without objects' }
}

/** Targets stand in few rows, and in none that has an object; where modes tell of types, in symlinks alone. */
function targetScore(
  column: SourceColumn,
  rowHasObject: readonly boolean[],
  rowTypes: readonly number[] | undefined,
): number | undefined {
  const rows = [...column.values.entries()].filter(([, value]) => isSaid(value))
  const isText = rows.every(([, value]) => typeof value === 'string' || typeof value === 'object')
  if (!isText || rows.length === 0 || rows.length > column.values.length * 0.9) return undefined
  if (lookOf(column, 'time') || lookOf(column, 'hash') || rows.some(([row]) => rowHasObject[row]))
    return undefined
  const ofLinks = shareOf(rows, ([row]) => rowTypes?.[row] === 0o120000)
  const isHinted = hint.test(column.name)
  if (rowTypes?.some((type) => type !== 0) ? ofLinks < 0.95 : false) return undefined
  return ofLinks + (isHinted ? 1 : 0)
}

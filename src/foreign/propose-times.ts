import { bestOf, type Choice, lastName } from './column-choice.ts'
import { said, textOfValue } from './column-looks.ts'
import type { TimeUnit } from './mapping.ts'
import { lookOf, type SourceColumn } from './table-source.ts'

/** Names that columns are likely to have, by what they mean. */
const hints = {
  mtime: /mod|mtime|^mt|^ts$/i,
  ctime: /^(?:st_)?c_?time|chang/i,
} as const

/** Those of other times. */
const others = /creat|birth|acc|atime|start|end|backup|delet/i

export interface Time extends Choice {
  readonly unit: TimeUnit
}

export function proposeMtime(columns: readonly SourceColumn[]): Time | undefined {
  const column = bestOf(columns, mtimeScore)
  const look = column && lookOf(column, 'time')
  if (column === undefined || look === undefined) return undefined
  const confidence = hints.mtime.test(lastName(column.name)) ? look.share : look.share * 0.7
  return { column, confidence, why: `times as ${look.detail}`, unit: look.detail as TimeUnit }
}

/** Times of both are in one unit: that of mtime. */
export function proposeCtime(
  columns: readonly SourceColumn[],
  unit: TimeUnit | undefined,
): Choice | undefined {
  const column = bestOf(columns, (each) =>
    hints.ctime.test(each.name) && lookOf(each, 'time')?.detail === unit ? 1 : undefined,
  )
  return column && { column, confidence: 0.6, why: 'by its name' }
}

function mtimeScore(column: SourceColumn): number | undefined {
  const share = lookOf(column, 'time')?.share
  if (share === undefined) return undefined
  const name = lastName(column.name)
  // Files were changed at all times, and backed up at a few.
  const variety = new Set(said(column.values).map(textOfValue)).size / column.values.length
  return (
    share +
    variety / 4 +
    (hints.mtime.test(name) ? 0.5 : 0) -
    (others.test(name) || hints.ctime.test(name) ? 0.5 : 0)
  )
}

import { bestOf, type Choice, scored } from './column-choice.ts'
import { isSaid, modeOfValue } from './column-looks.ts'
import type { ModeUnit } from './mapping.ts'
import { lookOf, type SourceColumn } from './table-source.ts'

export interface Mode extends Choice {
  readonly unit: ModeUnit
  /** The bits of the file type of each row; 0 where it has none. */
  readonly rowTypes: readonly number[]
}

/** The name that it is likely to have. */
const hint = /mode|perm|chmod|^m$/i

export function proposeMode(columns: readonly SourceColumn[]): Mode | undefined {
  const column = bestOf(columns, (each) => scored(lookOf(each, 'mode')?.share, each, hint))
  const look = column && lookOf(column, 'mode')
  if (column === undefined || look === undefined) return undefined
  const unit = look.detail as ModeUnit
  const rowTypes = column.values.map((value) =>
    isSaid(value) ? (modeOfValue(value, unit) ?? 0) & 0o170000 : 0,
  )
  return { column, confidence: look.share, why: `${unit} permissions`, unit, rowTypes }
}

import { bestOf, type Choice, lastName, scored, shareOf } from './column-choice.ts'
import { said } from './column-looks.ts'
import type { Value } from './query-protocol.ts'
import { lookOf, type SourceColumn } from './table-source.ts'

/** The name that it is likely to have. */
const hint = /size|len|bytes/i

/**
 * Sizes of unpacked objects, never those of the packed ones. Where not all objects are gzip, those that are may be files of the account that are so themselves: stored sizes are
 * then those of the files.
 */
export function proposeSize(
  columns: readonly SourceColumn[],
  { isGzip }: { readonly isGzip: boolean },
): Choice | undefined {
  const sizes = (detail: 'stored' | 'unpacked'): SourceColumn | undefined =>
    bestOf(columns, (column) => {
      const look = lookOf(column, 'size')
      return look?.detail === detail ? scored(look.share, column, hint) : undefined
    })
  const proven = sizes('unpacked') ?? (isGzip ? undefined : sizes('stored'))
  if (proven !== undefined) {
    const share = lookOf(proven, 'size')?.share ?? 0
    return { column: proven, confidence: share, why: `${Math.floor(share * 100)} % are those of the objects` }
  }
  const named = bestOf(columns, (column) =>
    hint.test(lastName(column.name)) && shareOf(said(column.values), isCount) === 1 && !lookOf(column, 'size')
      ? 1
      : undefined,
  )
  return named && { column: named, confidence: 0.4, why: 'by its name' }
}

function isCount(value: Value): boolean {
  return (
    (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) || /^\d+$/.test(String(value))
  )
}

import { bestOf, type Choice, lastName, shareOf } from './column-choice.ts'
import { said, textOfValue } from './column-looks.ts'
import type { SourceColumn, TableSource } from './table-source.ts'

/** Names that columns are likely to have, by what they mean. */
const hints = {
  uid: /^(?:st_)?(?:uid|u|user(?:_?id)?|owner(?:_?(?:id|uid))?)$/i,
  gid: /^(?:st_)?(?:gid|g|grp|group(?:_?(?:id|gid))?)$/i,
} as const

/** By their names, or else two columns beside each other that could be both. */
export function proposeOwners(
  { columns }: TableSource,
  free: readonly SourceColumn[],
): { readonly uid?: Choice; readonly gid?: Choice } {
  const named = (hint: RegExp): Choice | undefined => {
    const column = bestOf(free, (each) => ownerScore(each, hint))
    return column && { column, confidence: 0.7, why: 'by its name' }
  }
  const [uid, gid] = [named(hints.uid), named(hints.gid)]
  if (uid !== undefined || gid !== undefined) return { ...(uid && { uid }), ...(gid && { gid }) }
  const isPossible = (column: SourceColumn | undefined): column is SourceColumn =>
    column !== undefined && free.includes(column) && looksLikeOwners(column)
  // Nearly all files of an account have one owner and one group.
  const first = bestOf(columns, (column) => {
    const next = columns[columns.indexOf(column) + 1]
    return isPossible(column) && isPossible(next) ? -distinctPairs(column, next) : undefined
  })
  const second = first && columns[columns.indexOf(first) + 1]
  if (first === undefined || second === undefined) return {}
  const why = 'two columns of a few numbers beside each other'
  return { uid: { column: first, confidence: 0.3, why }, gid: { column: second, confidence: 0.3, why } }
}

function ownerScore({ name, values }: SourceColumn, hint: RegExp): number | undefined {
  const some = said(values)
  const isNumber = shareOf(some, (value) => /^\d{1,10}$/.test(textOfValue(value))) === 1
  return hint.test(lastName(name)) && isNumber && some.length > 0 ? 1 : undefined
}

function distinctPairs({ values }: SourceColumn, other: SourceColumn): number {
  return new Set(values.map((value, row) => `${value} ${other.values[row]}`)).size
}

/** A few numbers, the same in many rows; accounts have numbers above those of flags and states. */
function looksLikeOwners({ values }: SourceColumn): boolean {
  const distinct = [...new Set(values.map((value) => (value === null ? '' : textOfValue(value))))]
  const isNumbers = distinct.every((text) => /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32)
  return isNumbers && distinct.length <= values.length / 5 && distinct.some((text) => Number(text) >= 100)
}

import { bestOf, type Choice, scored, shareOf } from './column-choice.ts'
import { isSaid, said, textOfValue } from './column-looks.ts'
import { type FileKind, type Mapping, usualTypes } from './mapping.ts'
import { lookOf, type SourceColumn } from './table-source.ts'

/** The name that it is likely to have. */
const hint = /type|kind|^t$/i

export function proposeType(columns: readonly SourceColumn[]): Choice | undefined {
  const column = bestOf(columns, (each) => scored(lookOf(each, 'type') && 0.5, each, hint))
  return column && { column, confidence: 0.8, why: 'a handful of values' }
}

export interface TypeEvidence {
  readonly rowHasObject: readonly boolean[]
  readonly target: SourceColumn | undefined
  readonly folders: readonly boolean[]
}

/** Which kind of file each value of a column stands for: the usual words, or what its rows show. */
export function typesOf(
  column: SourceColumn,
  { rowHasObject, target, folders }: TypeEvidence,
): Mapping['types'] {
  const words = [...new Set(said(column.values).map(textOfValue))]
  const usual = Object.values(usualTypes).flat()
  if (words.every((word) => usual.includes(word))) return usualTypes
  const types: Record<FileKind, string[]> = { file: [], folder: [], symlink: [], other: [] }
  for (const word of words) {
    const rows = [...column.values.entries()].filter(
      ([, value]) => isSaid(value) && textOfValue(value) === word,
    )
    const share = (is: (row: number) => boolean): number => shareOf(rows, ([row]) => is(row))
    const isFile = share((row) => rowHasObject[row] === true) > 0
    const isFolder = share((row) => folders[row] === true) > 0
    const isLink = share((row) => isSaid(target?.values[row])) > 0.5
    types[isFile ? 'file' : isFolder ? 'folder' : isLink ? 'symlink' : 'other'].push(word)
  }
  return types
}

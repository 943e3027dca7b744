import { bestOf, type Proposals, proposal, scored, shareOf } from './column-choice.ts'
import { isSaid, said, textOfValue } from './column-looks.ts'
import type { Value } from './query-protocol.ts'
import { lookOf, type SourceColumn, type TableSource } from './table-source.ts'

/** Where each row is in the tree: its path in one column or in two, or its parent and a name. */
export interface Place {
  readonly columns: Proposals
  readonly used: readonly SourceColumn[]
}

/** Names that columns are likely to have, by what they mean. */
const hints = {
  path: /path|file_?name|location|^p$/i,
  name: /name|base|^n$/i,
} as const

/** Paths that stand there twice are a fault of few rows, which a trial shows; more of them are those of several snapshots. */
const leastOnce = 0.95

export function proposePlace(
  source: TableSource,
  columns: readonly SourceColumn[],
  {
    telling,
    rowHasObject,
  }: { readonly telling: SourceColumn | undefined; readonly rowHasObject: readonly boolean[] },
): Place | undefined {
  const path = bestOf(columns, (column) =>
    shareOnce([column, telling]) >= leastOnce
      ? scored(lookOf(column, 'path')?.share, column, hints.path)
      : undefined,
  )
  if (path !== undefined)
    return {
      columns: {
        path: proposal({
          column: path,
          confidence: Math.min(1, (lookOf(path, 'path')?.share ?? 0) + 0.1),
          why: shareOnce([path, telling]) === 1 ? 'paths, none twice' : 'paths, a few of them twice',
        }),
      },
      used: [path],
    }
  return placeByParents(source, columns, rowHasObject) ?? placeByFolder(columns, telling)
}

/** Rows of the sample in which others lie. */
export function foldersOf(source: TableSource, place: Place | undefined): readonly boolean[] {
  const valuesOf = (name: string | undefined): readonly Value[] =>
    source.columns.find((column) => column.name === name)?.values ?? []
  if (place?.columns.parent !== undefined) {
    const parents = new Set(valuesOf(source.parents?.parent))
    return valuesOf(source.parents?.id).map((id) => parents.has(id))
  }
  const paths = (place?.used.length === 1 ? place.used[0]!.values : []).map((path) =>
    isSaid(path) ? textOfValue(path).replace(/\/$/, '') : '',
  )
  const folders = new Set(paths.map((path) => path.slice(0, Math.max(0, path.lastIndexOf('/')))))
  return paths.map((path) => folders.has(path))
}

function placeByParents(
  { parents }: TableSource,
  columns: readonly SourceColumn[],
  rowHasObject: readonly boolean[],
): Place | undefined {
  const named = (name: string | undefined): SourceColumn | undefined =>
    columns.find((column) => column.name === name)
  const [id, parent, name] = [named(parents?.id), named(parents?.parent), named(parents?.name)]
  if (parents === undefined || id === undefined || parent === undefined || name === undefined)
    return undefined
  if (haveObjects(id, parent, rowHasObject)) return undefined
  return {
    columns: {
      id: proposal({ column: id, confidence: parents.share, why: 'another one in each row' }),
      parent: proposal({
        column: parent,
        confidence: parents.share,
        why: `${Math.floor(parents.share * 100)} % are ids of rows, or of none`,
      }),
      name: proposal({ column: name, confidence: 0.95, why: 'another one in each row of a parent' }),
    },
    used: [id, parent, name],
  }
}

/** Whether rows that would be parents are files: the parents are then ids of something else, which happen to be the same numbers. */
function haveObjects(id: SourceColumn, parent: SourceColumn, rowHasObject: readonly boolean[]): boolean {
  const parents = new Set(said(parent.values).map(textOfValue))
  const rows = rowHasObject.filter((_, row) => {
    const value = id.values[row]
    return isSaid(value) && parents.has(textOfValue(value))
  })
  return shareOf(rows, (hasObject) => hasObject) > 0.1
}

/** The path in two columns: that of the folder, and the name in it. */
function placeByFolder(
  columns: readonly SourceColumn[],
  telling: SourceColumn | undefined,
): Place | undefined {
  const folder = bestOf(columns, (column) => lookOf(column, 'path')?.share)
  if (folder === undefined) return undefined
  const name = bestOf(columns, (column) =>
    column !== folder && isNameLike(column) && shareOnce([folder, column, telling]) === 1
      ? scored(0.5, column, hints.name)
      : undefined,
  )
  if (name === undefined) return undefined
  const sql = `iif(coalesce(${folder.sql}, '') = '', ${name.sql}, rtrim(${folder.sql}, '/') || '/' || ${name.sql})`
  return {
    columns: { path: { sql, confidence: 0.9, why: 'a folder and a name, no two the same' } },
    used: [folder, name],
  }
}

function isNameLike({ values }: SourceColumn): boolean {
  return values.every(
    (value) =>
      isSaid(value) &&
      (typeof value === 'string' || typeof value === 'object') &&
      !textOfValue(value).includes('/'),
  )
}

/** How many different rows a sample has in these columns together, as a share of it: 1 when no two have the same. */
function shareOnce(columns: readonly (SourceColumn | undefined)[]): number {
  const values = columns.filter((column) => column !== undefined).map((column) => column.values)
  const rows = values[0]?.length ?? 0
  const keys = Array.from({ length: rows }, (_, row) =>
    JSON.stringify(values.map((each) => (each[row] === null ? null : textOfValue(each[row]!)))),
  )
  return new Set(keys).size / Math.max(1, rows)
}

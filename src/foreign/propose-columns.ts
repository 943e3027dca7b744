import { modeOfValue, said, textOfValue } from './column-looks.ts'
import { type FileKind, type Mapping, type ModeUnit, type TimeUnit, usualTypes } from './mapping.ts'
import type { ColumnName } from './mapping-columns.ts'
import type { ObjectNames } from './object-names.ts'
import type { Value } from './query-protocol.ts'
import { lookOf, type SourceColumn, type TableSource } from './table-source.ts'

export interface Proposal {
  readonly sql: string
  /** 0 … 1. */
  readonly confidence: number
  /** What speaks for it. */
  readonly why: string
}

export interface ProposedColumns {
  readonly columns: { readonly [Name in ColumnName]?: Proposal }
  readonly modeUnit: ModeUnit
  readonly timeUnit: TimeUnit
  readonly types: Mapping['types']
}

/** Names that columns are likely to have, by what they mean. */
const hints = {
  path: /path|file_?name|location|^p$/i,
  name: /name|base|^n$/i,
  type: /type|kind|^t$/i,
  mode: /mode|perm|chmod|^m$/i,
  uid: /^(?:st_)?(?:uid|u|user(?:_?id)?|owner(?:_?(?:id|uid))?)$/i,
  gid: /^(?:st_)?(?:gid|g|grp|group(?:_?(?:id|gid))?)$/i,
  size: /size|len|bytes/i,
  mtime: /mod|mtime|^mt|^ts$/i,
  ctime: /^(?:st_)?c_?time|chang/i,
  target: /link|target|^ln$|point|dest/i,
} as const

const others = /creat|birth|acc|atime|start|end|backup|delet/i

/** What the columns of a source mean, as far as it can be told. `telling`: what tells apart snapshots in one table, if anything does. */
export function proposeColumns(
  source: TableSource,
  objects: ObjectNames,
  telling: SourceColumn | undefined,
): ProposedColumns {
  const taken = new Set<string>(telling === undefined ? [] : [telling.name])
  const take = (column: SourceColumn): string => {
    taken.add(column.name)
    return column.sql
  }
  const free = (): readonly SourceColumn[] => source.columns.filter(({ name }) => !taken.has(name))

  const object =
    bestOf(free(), (column) => lookOf(column, 'object')?.share) ??
    bestOf(free(), (column) => lookOf(column, 'object-id')?.share)
  const objectProposal = object && proposeObject(object, objects)
  if (object !== undefined) take(object)
  const rowHasObject = source.columns[0]?.values.map((_, row) => isSaid(object?.values[row])) ?? []

  const place = proposePlace(source, free(), { telling, rowHasObject })
  for (const column of place?.used ?? []) take(column)

  const mode = bestOf(free(), (column) => scored(lookOf(column, 'mode')?.share, column, hints.mode))
  const modeLook = mode && lookOf(mode, 'mode')
  const modeUnit = (modeLook?.detail ?? 'decimal') as ModeUnit
  if (mode !== undefined) take(mode)
  const rowTypes = mode?.values.map((value) =>
    isSaid(value) ? (modeOfValue(value, modeUnit) ?? 0) & 0o170000 : 0,
  )
  const modeHasTypes = rowTypes?.some((type) => type !== 0) === true

  const time = bestOf(free(), (column) => timeScore(column))
  if (time !== undefined) take(time)
  const timeLook = time && lookOf(time, 'time')
  const isGzip =
    source.objects.length > 0 && shareOf(source.objects, ({ container }) => container === 'gzip') > 0.9
  const size = proposeSize(free(), { isGzip })
  if (size !== undefined) take(size.column)
  const owners = proposeOwners(source, free())
  for (const { column } of Object.values(owners)) take(column)
  const ctime = bestOf(free(), (column) =>
    hints.ctime.test(column.name) && lookOf(column, 'time')?.detail === timeLook?.detail ? 1 : undefined,
  )
  const type = modeHasTypes
    ? undefined
    : bestOf(free(), (column) => scored(lookOf(column, 'type') && 0.5, column, hints.type))
  if (type !== undefined) take(type)
  const target = bestOf(free(), (column) => targetScore(column, rowHasObject, rowTypes))

  const columns: { [Name in ColumnName]?: Proposal | undefined } = {
    ...place?.columns,
    object: objectProposal,
    size: size && proposal(size.column, size.confidence, size.why),
    encoding: isGzip
      ? {
          sql: "'gzip'",
          confidence: 0.95,
          why: `${source.objects.length} objects that were looked at are gzip`,
        }
      : undefined,
    mode: mode && proposal(mode, modeLook?.share ?? 0, `${modeUnit} permissions`),
    mtime: time && proposal(time, timeConfidence(time), `times as ${timeLook?.detail}`),
    ctime: ctime && proposal(ctime, 0.6, 'by its name'),
    uid: owners.uid && proposal(owners.uid.column, owners.uid.confidence, owners.uid.why),
    gid: owners.gid && proposal(owners.gid.column, owners.gid.confidence, owners.gid.why),
    type: type && proposal(type, 0.8, 'a handful of values'),
    target:
      target &&
      proposal(target, hints.target.test(target.name) ? 0.9 : 0.6, 'stands in rows without objects'),
  }
  return {
    columns: Object.fromEntries(Object.entries(columns).filter(([, proposed]) => proposed !== undefined)),
    modeUnit,
    timeUnit: (timeLook?.detail ?? 's') as TimeUnit,
    types:
      type === undefined
        ? usualTypes
        : typesOf(type, { rowHasObject, target, folders: foldersOf(source, place) }),
  }
}

function isSaid(value: Value | undefined): value is Exclude<Value, null> {
  return value !== undefined && value !== null && value !== ''
}

function shareOf<T>(items: readonly T[], is: (item: T) => boolean): number {
  return items.length === 0 ? 0 : items.filter(is).length / items.length
}

function proposal({ sql }: SourceColumn, confidence: number, why: string): Proposal {
  return { sql, confidence, why }
}

/** The one with the greatest score; those without any are none. */
function bestOf(
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

function scored(share: number | undefined, { name }: SourceColumn, hint: RegExp): number | undefined {
  return share === undefined ? undefined : share + (hint.test(lastName(name)) ? 0.5 : 0)
}

/** Of a joined table's column, its own name. */
function lastName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

function proposeObject(column: SourceColumn, objects: ObjectNames): Proposal {
  const look = lookOf(column, 'object')
  if (look === undefined)
    return proposal(column, 0.2, 'the form of object ids, but no such objects are there')
  const { share, detail } = look
  const percent = `${Math.floor(share * 100)} % name objects that are there`
  if (detail !== 'shard') return proposal(column, share, percent)
  const [only, ...more] = objects.folders.map(({ folder }) => folder).filter((folder) => folder !== 'files')
  return more.length === 0
    ? { sql: `'${only}/' || ${column.sql}`, confidence: share, why: percent }
    : proposal(column, 0.1, `${percent}, but which files<digits>/ folder they are in is not known`)
}

interface Place {
  readonly columns: ProposedColumns['columns']
  readonly used: readonly SourceColumn[]
}

function proposePlace(
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
        path: proposal(
          path,
          Math.min(1, (lookOf(path, 'path')?.share ?? 0) + 0.1),
          shareOnce([path, telling]) === 1 ? 'paths, none twice' : 'paths, a few of them twice',
        ),
      },
      used: [path],
    }
  return placeByParents(source, columns, rowHasObject) ?? placeByFolder(columns, telling)
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
      id: proposal(id, parents.share, 'another one in each row'),
      parent: proposal(
        parent,
        parents.share,
        `${Math.floor(parents.share * 100)} % are ids of rows, or of none`,
      ),
      name: proposal(name, 0.95, 'another one in each row of a parent'),
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

/** Paths that stand there twice are a fault of few rows, which a trial shows; more of them are those of several snapshots. */
const leastOnce = 0.95

/** How many different rows a sample has in these columns together, as a share of it: 1 when no two have the same. */
function shareOnce(columns: readonly (SourceColumn | undefined)[]): number {
  const values = columns.filter((column) => column !== undefined).map((column) => column.values)
  const rows = values[0]?.length ?? 0
  const keys = Array.from({ length: rows }, (_, row) =>
    JSON.stringify(values.map((each) => (each[row] === null ? null : textOfValue(each[row]!)))),
  )
  return new Set(keys).size / Math.max(1, rows)
}

function timeScore(column: SourceColumn): number | undefined {
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

function timeConfidence(column: SourceColumn): number {
  const share = lookOf(column, 'time')?.share ?? 0
  return hints.mtime.test(lastName(column.name)) ? share : share * 0.7
}

function ownerScore({ name, values }: SourceColumn, hint: RegExp): number | undefined {
  const some = said(values)
  const isNumber = shareOf(some, (value) => /^\d{1,10}$/.test(textOfValue(value))) === 1
  return hint.test(lastName(name)) && isNumber && some.length > 0 ? 1 : undefined
}

interface Owner {
  readonly column: SourceColumn
  readonly confidence: number
  readonly why: string
}

/** By their names, or else two columns beside each other that could be both. */
function proposeOwners(
  { columns }: TableSource,
  free: readonly SourceColumn[],
): { readonly uid?: Owner; readonly gid?: Owner } {
  const named = (hint: RegExp): Owner | undefined => {
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

function distinctPairs({ values }: SourceColumn, other: SourceColumn): number {
  return new Set(values.map((value, row) => `${value} ${other.values[row]}`)).size
}

/** A few numbers, the same in many rows; accounts have numbers above those of flags and states. */
function looksLikeOwners({ values }: SourceColumn): boolean {
  const distinct = [...new Set(values.map((value) => (value === null ? '' : textOfValue(value))))]
  const isNumbers = distinct.every((text) => /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32)
  return isNumbers && distinct.length <= values.length / 5 && distinct.some((text) => Number(text) >= 100)
}

/**
 * Sizes of unpacked objects, never those of the packed ones. Where not all objects are gzip, those that are may be files of the account that are so themselves: stored sizes are
 * then those of the files.
 */
function proposeSize(
  columns: readonly SourceColumn[],
  { isGzip }: { readonly isGzip: boolean },
): { readonly column: SourceColumn; readonly confidence: number; readonly why: string } | undefined {
  const sizes = (detail: 'stored' | 'unpacked'): SourceColumn | undefined =>
    bestOf(columns, (column) => {
      const look = lookOf(column, 'size')
      return look?.detail === detail ? scored(look.share, column, hints.size) : undefined
    })
  const proven = sizes('unpacked') ?? (isGzip ? undefined : sizes('stored'))
  if (proven !== undefined) {
    const share = lookOf(proven, 'size')?.share ?? 0
    return { column: proven, confidence: share, why: `${Math.floor(share * 100)} % are those of the objects` }
  }
  const named = bestOf(columns, (column) =>
    hints.size.test(lastName(column.name)) &&
    shareOf(said(column.values), isCount) === 1 &&
    !lookOf(column, 'size')
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
  const isHinted = hints.target.test(column.name)
  if (rowTypes?.some((type) => type !== 0) ? ofLinks < 0.95 : false) return undefined
  return ofLinks + (isHinted ? 1 : 0)
}

/** Rows of the sample in which others lie. */
function foldersOf(source: TableSource, place: Place | undefined): readonly boolean[] {
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

interface TypeEvidence {
  readonly rowHasObject: readonly boolean[]
  readonly target: SourceColumn | undefined
  readonly folders: readonly boolean[]
}

/** Which kind of file each value of a column stands for: the usual words, or what its rows show. */
function typesOf(column: SourceColumn, { rowHasObject, target, folders }: TypeEvidence): Mapping['types'] {
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

import { didYouMean } from '../base/did-you-mean.ts'
import { shown } from '../destination/settings/fields.ts'
import type { SettingsProblem } from '../destination/settings/problem.ts'
import { type ColumnName, columnNames, columns, isColumnName, type MappingColumn } from './mapping-columns.ts'

/**
 * How rows of foreign tables become the inodes of a snapshot: `index_mapping` in the settings of a destination, or a file of its own. Every SQL text in it runs
 * where it can read the tables and nothing else (`ForeignDatabase`); the parameters `:number` (N of `snap.N`) and `:snapshot` (`snap.N`) tell snapshots in one database apart.
 */
export interface Mapping {
  /** Keys below the repository, with `{number}` for N: the database, and those that go by `db2`, `db3`… beside it. */
  readonly databases: readonly string[]
  /** What stands behind FROM. */
  readonly from: string
  /** What stands behind WHERE; undefined: all rows. */
  readonly where: string | undefined
  /** An SQL expression for each of them that the tables have. */
  readonly columns: MappedColumns
  readonly modeUnit: ModeUnit
  readonly timeUnit: TimeUnit
  /** What the column `type` says for each kind of file, as text. */
  readonly types: Readonly<Record<FileKind, readonly string[]>>
}

export type MappedColumns = { readonly [Name in ColumnName]?: string | undefined }

/** `octal`: the digits of `ls` and chmod, 644 or 100644, as a text or a number. `letters`: rw-r--r--, with or without one for the type. */
export const modeUnits = ['decimal', 'octal', 'letters'] as const
export type ModeUnit = (typeof modeUnits)[number]

/** Since 1970; `iso`: a text such as 2024-01-31T23:59:58.123Z. */
export const timeUnits = ['s', 'ms', 'us', 'ns', 'iso'] as const
export type TimeUnit = (typeof timeUnits)[number]

export const fileKinds = ['file', 'folder', 'symlink', 'other'] as const
export type FileKind = (typeof fileKinds)[number]

/** Words that need not be declared. Numbers are: 4 is a folder to readdir(3), and something else to others. */
export const usualTypes: Mapping['types'] = {
  file: ['f', 'file', 'reg', 'regular', '-'],
  folder: ['d', 'dir', 'directory', 'folder'],
  symlink: ['l', 'link', 'lnk', 'symlink'],
  other: [],
}

export type MappingShape = 'paths' | 'parents'

/** Whether its rows have whole paths, or the ids of the folders that they are in. */
export function shapeOf({ columns }: Pick<Mapping, 'columns'>): MappingShape {
  return columns.path === undefined ? 'parents' : 'paths'
}

export interface MappingContext {
  /** Where it is written. */
  readonly file: string
  /** Whose settings it is in; undefined: it has a file of its own. */
  readonly destination?: string | undefined
}

export interface ParsedMapping {
  /** undefined when there are problems. */
  readonly mapping: Mapping | undefined
  readonly problems: readonly SettingsProblem[]
}

type Table = Readonly<Record<string, unknown>>
type Refuse = (field: string, text: string) => undefined

const fieldNames = ['database', 'from', 'where', 'mode_unit', 'time_unit', 'types', 'columns'] as const

/** Longer than any statement that a person writes. */
const longestSql = 10_000

/** Checks a mapping, and says all that is wrong with it. Whether its SQL is any, only the database can say. */
export function parseMapping(value: unknown, { file, destination }: MappingContext): ParsedMapping {
  const problems: SettingsProblem[] = []
  const prefix = destination === undefined ? '' : 'index_mapping.'
  const place = destination === undefined ? { file } : { file, destination }
  const refuse: Refuse = (field, text) => void problems.push({ ...place, field: prefix + field, text })
  if (!isTable(value)) {
    const text = `is ${shown(value)}: it must be a table, or the name of a file that holds one`
    return { mapping: undefined, problems: [{ ...place, field: 'index_mapping', text }] }
  }
  refuseOthers(value, fieldNames, '', refuse)
  const mapping: Mapping = {
    databases: databasesOf(value.database, refuse),
    from: sqlOf(value.from, 'from', refuse) ?? '',
    where: value.where === undefined ? undefined : sqlOf(value.where, 'where', refuse),
    columns: columnsOf(value.columns, refuse),
    modeUnit: wordOf(value.mode_unit, 'mode_unit', modeUnits, refuse),
    timeUnit: wordOf(value.time_unit, 'time_unit', timeUnits, refuse),
    types: typesOf(value.types, refuse),
  }
  return { mapping: problems.length === 0 ? mapping : undefined, problems }
}

function refuseOthers(table: Table, allowed: readonly string[], prefix: string, refuse: Refuse): void {
  for (const name of Object.keys(table))
    if (!allowed.includes(name))
      refuse(
        prefix + name,
        `is no field${didYouMean(name, allowed)}: it must be one of ${allowed.join(', ')}`,
      )
}

function databasesOf(value: unknown, refuse: Refuse): readonly string[] {
  const allowed =
    'it must be a key below the repository such as "export/snap.{number}", or a list of them (the second is called db2)'
  const keys = typeof value === 'string' ? [value] : value
  if (value === undefined) refuse('database', `is missing: ${allowed}`)
  else if (!Array.isArray(keys) || keys.length === 0) refuse('database', `is ${shown(value)}: ${allowed}`)
  else {
    const wrong = keys.find((key) => !isDatabaseKey(key))
    if (wrong === undefined) return keys
    refuse('database', keys === value ? `has ${shown(wrong)}: ${allowed}` : `is ${shown(wrong)}: ${allowed}`)
  }
  return []
}

function isDatabaseKey(key: unknown): boolean {
  if (typeof key !== 'string' || key.includes('\0')) return false
  const parts = key.split('/')
  return parts.every((part) => part !== '' && part !== '.' && part !== '..')
}

function sqlOf(value: unknown, field: string, refuse: Refuse): string | undefined {
  const allowed = 'it must be SQL in quotes'
  if (value === undefined) return refuse(field, `is missing: ${allowed}`)
  if (typeof value !== 'string' || value.trim() === '') return refuse(field, `is ${shown(value)}: ${allowed}`)
  if (value.length > longestSql || value.includes('\0'))
    return refuse(
      field,
      `has ${value.length} characters: it must be SQL of ${longestSql} at most, without NUL`,
    )
  return value
}

function columnsOf(value: unknown, refuse: Refuse): MappedColumns {
  if (!isTable(value)) {
    const how = value === undefined ? 'is missing' : `is ${shown(value)}`
    return refuse('columns', `${how}: it must be a table with an SQL expression for each column`) ?? {}
  }
  refuseOthers(value, columnNames, 'columns.', refuse)
  const mapped = Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => isColumnName(name))
      .map(([name, sql]) => [name, sqlOf(sql, `columns.${name}`, refuse)]),
  )
  const has = (name: ColumnName): boolean => Object.hasOwn(value, name)
  const rival = (['id', 'parent', 'name'] as const).find(has)
  if (has('path') && rival !== undefined)
    refuse(`columns.${rival}`, 'is for rows without whole paths: leave it out, or path')
  const shape = shapeOf({ columns: value as MappedColumns })
  // Without any of them nothing says which shape was meant.
  if (!has('path') && rival === undefined)
    refuse('columns.path', 'is missing: rows need a path, or else id, parent and name')
  else
    for (const name of columnNames) {
      const { describe, neededBy }: MappingColumn = columns[name]
      if (!has(name) && neededBy.includes(shape))
        refuse(`columns.${name}`, `is missing: it must be SQL for ${describe}`)
    }
  return mapped
}

function wordOf<Word extends string>(
  value: unknown,
  field: string,
  words: readonly [Word, ...Word[]],
  refuse: Refuse,
): Word {
  const word = value === undefined ? words[0] : words.find((word) => word === value)
  if (word === undefined)
    refuse(
      field,
      `is ${shown(value)}${didYouMean(String(value), words)}: it must be one of ${words.join(', ')}`,
    )
  return word ?? words[0]
}

function typesOf(value: unknown, refuse: Refuse): Mapping['types'] {
  if (value === undefined) return usualTypes
  if (!isTable(value)) {
    refuse(
      'types',
      `is ${shown(value)}: it must be a table such as { file = ["1"], folder = ["2"], symlink = ["3"] }`,
    )
    return usualTypes
  }
  refuseOthers(value, fileKinds, 'types.', refuse)
  const kindOfWord = new Map<string, FileKind>()
  const wordsOf = (kind: FileKind): readonly string[] => {
    const words = value[kind] ?? []
    if (!Array.isArray(words) || words.some((word) => typeof word !== 'string' && typeof word !== 'number')) {
      refuse(`types.${kind}`, `is ${shown(words)}: it must be a list of what the column type says for it`)
      return []
    }
    for (const word of words.map(String)) {
      const other = kindOfWord.get(word)
      if (other !== undefined) refuse(`types.${kind}`, `has ${shown(word)}, which is in types.${other}, too`)
      kindOfWord.set(word, kind)
    }
    return words.map(String)
  }
  return {
    file: wordsOf('file'),
    folder: wordsOf('folder'),
    symlink: wordsOf('symlink'),
    other: wordsOf('other'),
  }
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

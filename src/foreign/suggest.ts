import type { Proposals } from './column-choice.ts'
import { said, textOfValue } from './column-looks.ts'
import { ForeignError } from './errors.ts'
import type { ForeignDatabase } from './foreign-database.ts'
import type { Mapping } from './mapping.ts'
import { columnNames } from './mapping-columns.ts'
import type { ProfileOptions, TableProfile } from './profile.ts'
import { type ProposedColumns, proposeColumns } from './propose-columns.ts'
import { joinedSource, type SourceColumn, sourceOf, type TableSource } from './table-source.ts'

export interface SuggestOptions extends ProfileOptions {
  /** Of the database, below the repository. */
  readonly key: string
  /** N of the snapshot that it was looked at for, if it was for one. */
  readonly number: number | undefined
  /** N of all snapshots of the repository. */
  readonly numbers: readonly number[]
}

export interface Suggestion {
  readonly mapping: Mapping
  readonly columns: Proposals
  /** The greater, the more of a tree there is to it. */
  readonly score: number
  /** What is missing, or could not be told. */
  readonly remarks: readonly string[]
}

/** A proposal and how much of a tree it makes. */
interface Candidate {
  readonly source: TableSource
  readonly proposed: ProposedColumns
  readonly telling: SourceColumn | undefined
  readonly score: number
}

/** Proposes a mapping for one of the tables of a database; undefined when none has anything like paths or parents. */
export async function suggestMapping(
  database: ForeignDatabase,
  tables: readonly TableProfile[],
  options: SuggestOptions,
): Promise<Suggestion | undefined> {
  let best: Candidate | undefined
  for (const table of tables) {
    const plain = candidateOf(sourceOf(table), options, table.kind)
    if (plain === undefined) continue
    const joined = candidateOf(await joinedOrPlain(database, table, tables, options), options, table.kind)
    for (const candidate of [plain, joined])
      if (candidate !== undefined && (best === undefined || candidate.score > best.score)) best = candidate
  }
  return best && suggestionOf(best, options)
}

async function joinedOrPlain(
  database: ForeignDatabase,
  table: TableProfile,
  tables: readonly TableProfile[],
  options: SuggestOptions,
): Promise<TableSource> {
  try {
    const others = tables.filter((other) => other !== table && other.sample.rows > 0)
    return await joinedSource(database, table, others, options)
  } catch (error) {
    if (!(error instanceof ForeignError)) throw error
    return sourceOf(table)
  }
}

function candidateOf(
  source: TableSource,
  options: SuggestOptions,
  kind: TableProfile['kind'],
): Candidate | undefined {
  if (source.rows === 0) return undefined
  const telling = tellingColumn(source, options)
  const proposed = proposeColumns(source, options.objects, telling)
  const { columns } = proposed
  if (columns.path === undefined && columns.parent === undefined) return undefined
  const proposals = Object.values(columns)
  const sure = proposals.reduce((sum, { confidence }) => sum + confidence, 0)
  // Without objects there is no tree worth having; a view shows what a table has.
  const score = sure + (columns.object?.confidence ?? 0) * 5 - (kind === 'view' ? 2 : 0)
  return { source, proposed, telling, score }
}

/** What tells apart snapshots in one table: a number or name of a snapshot in every row. */
function tellingColumn(
  source: TableSource,
  { key, number, numbers }: SuggestOptions,
): SourceColumn | undefined {
  if (templateOf(key, number) !== key) return undefined
  return source.columns.find(({ name, values }) => {
    const some = new Set(said(values).map((value) => textOfValue(value).replace(/^snap\./, '')))
    const isOfSnapshots = [...some].every((text) => numbers.some((each) => String(each) === text))
    const isInEach = said(values).length === values.length
    return isInEach && isOfSnapshots && (some.size > 1 || /snap|backup|version/i.test(name))
  })
}

/** The key of the same database of any snapshot. */
function templateOf(key: string, number: number | undefined): string {
  return number === undefined ? key : key.replace(new RegExp(`(?<!\\d)${number}(?!\\d)`, 'g'), '{number}')
}

function suggestionOf(
  { source, proposed, telling, score }: Candidate,
  { key, number }: SuggestOptions,
): Suggestion {
  const { columns, modeUnit, timeUnit, types } = proposed
  const database = templateOf(key, number)
  const isName = telling?.values.some((value) => typeof value === 'string' && value.startsWith('snap.'))
  const mapping: Mapping = {
    databases: [database],
    from: source.from,
    where: telling && `${telling.sql} = ${isName ? ':snapshot' : ':number'}`,
    columns: Object.fromEntries(
      columnNames.flatMap((name) => {
        const proposal = columns[name]
        return proposal === undefined ? [] : [[name, proposal.sql]]
      }),
    ),
    modeUnit,
    timeUnit,
    types,
  }
  const missing = (['object', 'size'] as const).filter((name) => columns[name] === undefined)
  const remarks = missing.map((name) => `no column for ${name} was found: add it by hand`)
  if (database === key && telling === undefined)
    remarks.push(
      'nothing tells the rows of one snapshot from those of another: all snapshots would have the same',
    )
  return { mapping, columns, score, remarks }
}

import { formatByteSize } from '../../base/byte-size.ts'
import { type Look, said, textOfValue } from '../../foreign/column-looks.ts'
import type { InspectedDatabase, Inspection } from '../../foreign/inspect-repository.ts'
import type { TableProfile } from '../../foreign/profile.ts'
import type { Value } from '../../foreign/query-protocol.ts'
import type { Survey, SurveyedKey } from '../../foreign/survey.ts'
import { formatTable, printable } from '../output.ts'

/** Sample rows that are shown of a table, and characters of a value. */
const shownRows = 3
const valueWidth = 28

/** What was found in a repository, for people. */
export function inspectionText(inspection: Inspection): string {
  const { repository, number, survey, databases, depth } = inspection
  const parts = [
    `${repository === '' ? 'the repository' : printable(repository.replace(/\/$/, ''))}: ${writerText(survey)}`,
    keysText(survey, repository),
    objectsText(survey),
    ...databases.map(databaseText),
  ]
  if (databases.length === 0 && depth !== 'keys')
    parts.push(number === undefined ? 'It has no snapshots.' : `Nothing in snap.${number} has tables.`)
  return parts.join('\n\n')
}

function writerText({ keys }: Survey): string {
  const isOwn = keys.some(({ manifest }) => manifest?.jbfs !== undefined)
  const isForeign = keys.some(({ number, manifest }) => number !== undefined && manifest?.jbfs === undefined)
  if (!isForeign) return isOwn ? 'written by jbfs' : 'there are no manifests'
  return isOwn
    ? 'some of its snapshots were not written by jbfs'
    : 'not written by jbfs, so that it is only read, whatever is asked'
}

function keysText({ keys, more }: Survey, repository: string): string {
  const columns = [{ title: 'KEY' }, { title: 'SIZE', align: 'right' }, { title: 'WHAT IT IS' }] as const
  const rows = keys.map((key) => [
    printable(key.key.slice(repository.length)),
    formatByteSize(key.size),
    keyText(key),
  ])
  const table = formatTable(columns, rows)
  return more > 0 ? `${table}\nand ${more} more, which were not looked at` : table
}

const contents = { sqlite: 'SQLite database', json: 'JSON', unknown: 'not understood' } as const

function keyText({ container, content, manifest, problem }: SurveyedKey): string {
  const packing = container === 'plain' ? '' : `, packed by ${container}`
  if (problem !== undefined) return printable(problem)
  if (manifest === undefined) return `${contents[content]}${packing}`
  if (manifest.jbfs !== undefined) return 'manifest of jbfs'
  return `JSON manifest with ${printable(Object.keys(manifest).join(', '))}`
}

function objectsText({ objects, looked }: Survey): string {
  if (objects.folders.length === 0) return 'There are no objects.'
  const lines = objects.folders.map(({ folder, objects, size, isWhole }) =>
    isWhole
      ? `${folder}/: ${objects} objects, ${formatByteSize(size)}`
      : `${folder}/: the first ${objects} of its objects, ${formatByteSize(size)}`,
  )
  const packed = new Map<string, number>()
  for (const { container } of looked) packed.set(container, (packed.get(container) ?? 0) + 1)
  const kinds = [...packed].map(([container, count]) => `${count} ${container}`)
  if (looked.length === 0) return lines.join('\n')
  return [...lines, `of ${looked.length} that were looked at: ${kinds.join(', ')}`].join('\n')
}

function databaseText({ key, tables, problem }: InspectedDatabase): string {
  const head = `== ${printable(key)}`
  if (problem !== undefined) return `${head}\n${printable(problem)}`
  return [head, ...tables.map(tableText)].join('\n\n')
}

function tableText(table: TableProfile): string {
  const { name, kind, sample, indexes, problem } = table
  const head = `${kind} ${printable(name)}`
  if (problem !== undefined) return `${head}: ${printable(problem)}`
  const lines = [`${head}: ${sample.rows} rows`, columnsText(table)]
  for (const { name, isUnique, columns } of indexes)
    lines.push(
      `  ${isUnique ? 'unique index' : 'index'} ${printable(name)} on ${columns.map((column) => printable(column ?? '(an expression)')).join(', ')}`,
    )
  if (sample.rows > 0) lines.push(rowsText(table))
  return lines.join('\n')
}

function columnsText({ columns, sample }: TableProfile): string {
  const titles = [
    { title: '  COLUMN' },
    { title: 'DECLARED' },
    { title: 'VALUES' },
    { title: 'LOOKS LIKE' },
  ] as const
  const rows = columns.map(({ name, declared, isPrimaryKey, types, distinct, looks }, index) => [
    `  ${printable(name)}`,
    printable(`${declared}${isPrimaryKey ? ' (key)' : ''}`),
    [...typeTexts(types), differentText(distinct, said(sample.columns[index]?.values ?? []).length)].join(
      ', ',
    ),
    looks.map(lookText).join('; '),
  ])
  return formatTable(titles, rows)
}

function typeTexts(types: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(types).map(([type, share]) => (share === 1 ? type : `${type} ${percent(share)}`))
}

function differentText(distinct: number, count: number): string {
  if (count === 0) return 'all empty'
  return distinct === count ? 'all different' : `${distinct} different`
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`
}

const objectTexts: Readonly<Record<string, string>> = {
  name: 'name an existing object in files/',
  shard: 'name an existing object in one of files<digits>/',
  key: 'are keys of existing objects',
}

function lookText({ role, share, detail }: Look): string {
  const some = `${percent(share)} of values`
  switch (role) {
    case 'object':
      return `${some} ${objectTexts[detail] ?? ''}`
    case 'object-id':
      return `${some} have the form of object ids`
    case 'path':
      return `${some} look like paths`
    case 'mode':
      return `permissions (${detail})`
    case 'time':
      return `times (${detail === 'iso' ? 'ISO 8601' : detail})`
    case 'hash':
      return `${some} have the length of a ${detail}`
    case 'type':
      return `a type: ${printable(detail)}`
    case 'size':
      return `${some} are the ${detail} sizes of the objects`
    case 'id':
      return `ids, by which ${printable(detail)} names parents`
    case 'parent':
      return `parents: ${some} are a ${printable(detail)}, or none`
  }
}

function rowsText({ sample }: TableProfile): string {
  const titles = sample.columns.map(({ name }, index) => ({
    title: `${index === 0 ? '  ' : ''}${printable(name)}`,
  }))
  const step = Math.max(1, Math.floor((sample.columns[0]?.values.length ?? 0) / shownRows))
  const rows = Array.from({ length: shownRows }, (_, row) => row * step)
    .filter((row) => row < (sample.columns[0]?.values.length ?? 0))
    .map((row) =>
      sample.columns.map(
        ({ values }, index) => `${index === 0 ? '  ' : ''}${valueText(values[row] ?? null)}`,
      ),
    )
  return `  for example\n${formatTable(titles, rows)}`
}

/** Binary values are marked, so that they are not taken for text. */
function valueText(value: Value): string {
  const text =
    value !== null && typeof value === 'object' ? binaryText(value) : printable(String(value ?? 'NULL'))
  return text.length > valueWidth ? `${text.slice(0, valueWidth - 1)}…` : text
}

function binaryText(value: Uint8Array): string {
  const text = textOfValue(value)
  const isReadable = text.length > 0 && /^[ -~]+$/.test(text)
  return isReadable ? `b'${text}'` : `x'${Buffer.from(text, 'latin1').toString('hex')}'`
}

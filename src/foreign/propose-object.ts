import { bestOf, type Proposal, proposal } from './column-choice.ts'
import type { ObjectNames } from './object-names.ts'
import { lookOf, type SourceColumn } from './table-source.ts'

/** The column that names each row's object. */
export function objectOf(columns: readonly SourceColumn[]): SourceColumn | undefined {
  return (
    bestOf(columns, (column) => lookOf(column, 'object')?.share) ??
    bestOf(columns, (column) => lookOf(column, 'object-id')?.share)
  )
}

export function proposeObject(column: SourceColumn, objects: ObjectNames): Proposal {
  const look = lookOf(column, 'object')
  if (look === undefined)
    return proposal({ column, confidence: 0.2, why: 'the form of object ids, but no such objects are there' })
  const { share, detail } = look
  const percent = `${Math.floor(share * 100)} % name objects that are there`
  if (detail !== 'shard') return proposal({ column, confidence: share, why: percent })
  const [only, ...more] = objects.folders.map(({ folder }) => folder).filter((folder) => folder !== 'files')
  if (more.length === 0) return { sql: `'${only}/' || ${column.sql}`, confidence: share, why: percent }
  const why = `${percent}, but which files<digits>/ folder they are in is not known`
  return proposal({ column, confidence: 0.1, why })
}

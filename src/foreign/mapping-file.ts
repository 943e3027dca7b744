import { readFileSync } from 'node:fs'
import { stringify } from 'smol-toml'
import { parseToml } from '../destination/settings/parse-toml.ts'
import { unreadable } from '../destination/settings/private-file.ts'
import { refuseProblems } from '../destination/settings/problem.ts'
import { type Mapping, type MappingContext, parseMapping, usualTypes } from './mapping.ts'
import { type ColumnName, columnNames } from './mapping-columns.ts'

/** Reads a mapping that has a file of its own. Throws `bad-settings` with a line for each problem. */
export function readMappingFile(file: string): Mapping {
  const toml = parseToml(textOf(file))
  if ('problem' in toml) refuseProblems([{ file, text: toml.problem }])
  return validMapping('table' in toml ? toml.table : {}, { file })
}

/** Throws `bad-settings` with a line for each problem. */
export function validMapping(value: unknown, context: MappingContext): Mapping {
  const { mapping, problems } = parseMapping(value, context)
  refuseProblems(problems)
  return mapping!
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadable(file, error)
  }
}

/** Remarks stand behind the line of their column, as a comment. */
export interface MappingRemarks {
  readonly columns: { readonly [Name in ColumnName]?: string | undefined }
}

/** The text of a file that `readMappingFile` makes the same mapping of. */
export function mappingText(mapping: Mapping, remarks: MappingRemarks = { columns: {} }): string {
  const { databases, from, where, modeUnit, timeUnit, types, columns } = mapping
  const top = {
    database: databases.length === 1 ? databases[0] : databases,
    from,
    where,
    mode_unit: columns.mode === undefined ? undefined : modeUnit,
    time_unit: columns.mtime === undefined && columns.ctime === undefined ? undefined : timeUnit,
    types: types === usualTypes ? undefined : types,
  }
  const lines = columnNames.flatMap((name) => {
    const sql = columns[name]
    if (sql === undefined) return []
    const remark = remarks.columns[name]
    return `${stringify({ [name]: sql }).trimEnd()}${remark === undefined ? '' : ` # ${remark}`}`
  })
  const { types: typesTable, ...plain } = top
  const typesText = typesTable === undefined ? '' : `\n${stringify({ types: typesTable })}`
  return `${stringify(plain)}\n[columns]\n${lines.join('\n')}\n${typesText}`
}

import type { InspectedDatabase, Inspection } from '../../foreign/inspect-repository.ts'
import { mappingText } from '../../foreign/mapping-file.ts'
import type { TableProfile } from '../../foreign/profile.ts'
import type { Value } from '../../foreign/query-protocol.ts'
import type { Suggestion } from '../../foreign/suggest.ts'

/** Sample rows of a table. */
const shownRows = 5

/** What was found in a repository, for programs. Shares are 0 … 1; binary values are `{"hex": "…"}`, integers beyond 2⁵³ texts. */
export function inspectionJson({ repository, number, survey, databases }: Inspection): unknown {
  const { keys, more, objects, looked, numbers } = survey
  return {
    repository: repository.replace(/\/$/, ''),
    snapshots: numbers,
    inspected: number ?? null,
    keys: keys.map(({ key, size, container, content, manifest, problem }) => ({
      key: key.slice(repository.length),
      size,
      container,
      content,
      manifest: manifest ?? null,
      writtenByJbfs: manifest?.jbfs !== undefined,
      problem: problem ?? null,
    })),
    keysNotLookedAt: more,
    objects: {
      folders: objects.folders,
      lookedAt: looked.map(({ key, size, container, unpackedSize }) => ({
        key: key.slice(repository.length),
        size,
        container,
        unpackedSize: unpackedSize ?? null,
      })),
    },
    databases: databases.map(databaseJson),
  }
}

function databaseJson({ key, tables, problem, suggestion }: InspectedDatabase): unknown {
  return {
    key,
    problem: problem ?? null,
    tables: tables.map(tableJson),
    ...(suggestion && { suggestion: suggestionJson(suggestion) }),
  }
}

function tableJson({ name, kind, columns, indexes, sample, problem }: TableProfile): unknown {
  const rows = sample.columns[0]?.values.slice(0, shownRows) ?? []
  return {
    name,
    kind,
    rows: sample.rows,
    columns,
    indexes,
    sample: rows.map((_, row) => sample.columns.map(({ values }) => valueJson(values[row] ?? null))),
    problem: problem ?? null,
  }
}

function valueJson(value: Value): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value === null || typeof value !== 'object') return value
  return { hex: Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex') }
}

/** A mapping as the text of its file, and how sure each column is. */
export function suggestionJson({ mapping, columns, remarks }: Suggestion): unknown {
  return { mapping: mappingText(mapping), columns, remarks }
}

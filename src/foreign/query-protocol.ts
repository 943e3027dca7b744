import type { ForeignErrorCode } from './errors.ts'

/** A value of a foreign table. Text whose bytes are not UTF-8 comes as these bytes; integers are bigint only outside ±(2⁵³ − 1). */
export type Value = null | number | bigint | string | Uint8Array
export type Row = readonly Value[]

/** About how many bytes of memory a row takes. */
export function bytesOfRow(row: Row): number {
  let bytes = 0
  for (const value of row) {
    if (typeof value === 'string') bytes += value.length
    else if (typeof value === 'object' && value !== null) bytes += value.length
    // A number, or the place of a value.
    bytes += 8
  }
  return bytes
}

/** By name, without its colon; those that the SQL does not have are passed over. */
export type Parameters = Readonly<Record<string, null | number | string>>

/** What `DatabaseProcess` asks of `query-process.ts`: to open databases, to begin a query, for its next rows, to give it up. Each is answered once, in order. */
export type QueryRequest =
  | { readonly ask: 'open'; readonly paths: readonly string[] }
  | { readonly ask: 'begin'; readonly query: number; readonly sql: string; readonly parameters: Parameters }
  | { readonly ask: 'next'; readonly query: number }
  | { readonly ask: 'end'; readonly query: number }

/** `rows`: empty after the last ones, and to all but `next`. */
export type QueryAnswer =
  | { readonly rows: Row[] }
  | { readonly code: ForeignErrorCode; readonly message: string }

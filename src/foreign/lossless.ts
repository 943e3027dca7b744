import { isUtf8 } from 'node:buffer'
import type { Value } from './query-protocol.ts'

/**
 * node:sqlite makes strings of all text, which loses bytes that are no UTF-8, and throws at integers beyond 2⁵³. So a query is put into another one that marks
 * each text by its first character: `t`, the rest is the text, which is printable ASCII · `x`, its bytes in hex digits, in the encoding of the database · `i`, a large integer.
 */

/** As `PRAGMA encoding` tells it. */
export type TextEncoding = 'UTF-8' | 'UTF-16le' | 'UTF-16be'

/** The query for `sql`, which has so many columns, and is complete without a semicolon at its end. */
export function losslessQuery(sql: string, columns: number): string {
  const names = Array.from({ length: columns }, (_, column) => `c${column}`)
  return `WITH q (${names}) AS (${sql}\n) SELECT ${names.map(marked)} FROM q`
}

/** The value that one of such a query stands for. */
export function losslessValue(value: Value, encoding: TextEncoding): Value {
  if (typeof value !== 'string') return value
  const rest = value.slice(1)
  if (value.startsWith('t')) return rest
  if (value.startsWith('i')) return BigInt(rest)
  const bytes = Buffer.from(rest, 'hex')
  if (encoding !== 'UTF-8') return textOfUtf16(bytes, encoding)
  return isUtf8(bytes) ? bytes.toString() : bytes
}

function textOfUtf16(bytes: Buffer, encoding: TextEncoding): string {
  const whole = bytes.subarray(0, bytes.length - (bytes.length % 2))
  return (encoding === 'UTF-16be' ? whole.swap16() : whole).toString('utf16le')
}

/** What GLOB sees ends at a NUL, which `octet_length` counts; for GLOB each byte that is not UTF-8 is a character of its own, outside of ASCII. */
function marked(name: string): string {
  return `CASE typeof(${name})
    WHEN 'text' THEN iif(length(${name}) = octet_length(${name}) AND ${name} NOT GLOB '*[^ -~]*', 't' || ${name}, 'x' || hex(${name}))
    WHEN 'integer' THEN iif(${name} BETWEEN ${Number.MIN_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER}, ${name}, 'i' || ${name})
    ELSE ${name} END`
}

import type { Timestamp } from '../snapshot/tree.ts'
import type { ModeUnit, TimeUnit } from './mapping.ts'
import type { Value } from './query-protocol.ts'

/**
 * What cells say, in the units of a mapping: null where they say nothing (NULL, or a text without anything in it), undefined where it is not understood.
 */
type Said<T> = T | null | undefined

export function textOf(cell: Value): string | null {
  if (cell === null) return null
  if (typeof cell === 'object') return Buffer.from(cell.buffer, cell.byteOffset, cell.length).toString('hex')
  return String(cell)
}

/** Of names, paths and targets: any bytes. */
export function bytesOf(cell: Value): Buffer | null {
  if (cell === null) return null
  return typeof cell === 'object'
    ? Buffer.from(cell.buffer, cell.byteOffset, cell.length)
    : Buffer.from(String(cell), 'utf8')
}

/** A whole number from 0 to `largest`, as a number or its decimal digits. */
export function countOf(cell: Value, largest: number): Said<number> {
  if (cell === null || cell === '') return null
  if (typeof cell === 'string' && !/^\s*\d+\s*$/.test(cell)) return undefined
  const count = typeof cell === 'object' ? Number.NaN : Number(cell)
  return Number.isInteger(count) && count >= 0 && count <= largest ? count : undefined
}

/** Type and permissions, as st_mode; the type may be left out, and is 0 then. */
export function modeOf(cell: Value, unit: ModeUnit): Said<number> {
  if (cell === null || cell === '') return null
  if (unit === 'letters') return typeof cell === 'string' ? modeOfLetters(cell.trim()) : undefined
  if (unit === 'decimal') return countOf(cell, 0o177777)
  const digits = textOf(cell)?.trim().replace(/^0o/i, '') ?? ''
  const mode = /^[0-7]{1,7}$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN
  return mode <= 0o177777 ? mode : undefined
}

const typeLetters: Readonly<Record<string, number>> = {
  '-': 0o100000,
  d: 0o040000,
  l: 0o120000,
  p: 0o010000,
  s: 0o140000,
  b: 0o060000,
  c: 0o020000,
}

function modeOfLetters(text: string): number | undefined {
  const [, type, letters = ''] = /^([-dlpsbc])?((?:[r-][w-][xsS-]){2}[r-][w-][xtT-])[.+@]?$/.exec(text) ?? []
  if (letters === '') return undefined
  const special = [/[sS]/.test(letters.slice(0, 3)), /[sS]/.test(letters.slice(3, 6)), /[tT]/.test(letters)]
  const isSet = [...special, ...[...letters].map((letter) => !/[-ST]/.test(letter))]
  const permissions = isSet.reduce((bits, set) => bits * 2 + Number(set), 0)
  return (type === undefined ? 0 : typeLetters[type]!) + permissions
}

const perSecond: Readonly<Record<Exclude<TimeUnit, 'iso'>, number>> = { s: 1, ms: 1e3, us: 1e6, ns: 1e9 }

export function timeOf(cell: Value, unit: TimeUnit): Said<Timestamp> {
  if (cell === null || cell === '') return null
  if (typeof cell === 'object') return undefined
  if (unit === 'iso') return typeof cell === 'string' ? timeOfIso(cell.trim()) : undefined
  const text = String(cell).trim()
  const per = perSecond[unit]
  // As whole numbers: 1e18 ns are more than a number can count.
  if (/^-?\d{1,19}$/.test(text)) return timeOfUnits(BigInt(text), BigInt(per))
  const count = Number(text)
  if (text === '' || !Number.isFinite(count) || Math.abs(count / per) > largestSeconds) return undefined
  const seconds = Math.floor(count / per)
  // Of a number with a fraction no more than microseconds can be right.
  const microseconds = Math.min(999_999, Math.round((count / per - seconds) * 1e6))
  return { seconds, nanoseconds: microseconds * 1000 }
}

const largestSeconds = 2 ** 53 - 1

function timeOfUnits(count: bigint, per: bigint): Timestamp | undefined {
  const rest = ((count % per) + per) % per
  const seconds = Number((count - rest) / per)
  if (Math.abs(seconds) > largestSeconds) return undefined
  return { seconds, nanoseconds: Number((rest * 1_000_000_000n) / per) }
}

/** Without a zone it is taken for UTC. */
function timeOfIso(text: string): Timestamp | undefined {
  const [, date, time = '00:00:00', fraction = '', zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/i.exec(
      text,
    ) ?? []
  const milliseconds = Date.parse(`${date}T${time}${offsetOf(zone)}`)
  if (Number.isNaN(milliseconds)) return undefined
  return { seconds: milliseconds / 1000, nanoseconds: Number(fraction.padEnd(9, '0')) }
}

function offsetOf(zone: string): string {
  const [, hours, minutes = '00'] = /^([+-]\d\d):?(\d\d)?$/.exec(zone) ?? []
  return hours === undefined ? 'Z' : `${hours}:${minutes}`
}

/** 32 bytes, or as many hex digits. */
export function sha256Of(cell: Value): Said<Buffer> {
  const digits = textOf(cell)
  if (digits === null || digits === '') return null
  return /^[0-9a-f]{64}$/i.test(digits) ? Buffer.from(digits, 'hex') : undefined
}

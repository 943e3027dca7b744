import type { ModeUnit, TimeUnit } from './mapping.ts'
import type { ObjectNames } from './object-names.ts'
import type { Value } from './query-protocol.ts'

/** What values may be: by their own form, or, as `size`, `id` and `parent`, by what stands beside them. */
export interface Look {
  readonly role:
    | 'object'
    | 'object-id'
    | 'path'
    | 'mode'
    | 'time'
    | 'hash'
    | 'type'
    | 'size'
    | 'id'
    | 'parent'
  /** Of the values that are not empty, 0 … 1. */
  readonly share: number
  /** How an object is named, the unit of modes and times, which hash, whether a size is the stored or the unpacked one, whose parent. */
  readonly detail: string
}

/** Values that say something: neither NULL nor empty. */
export function said(values: readonly Value[]): readonly Exclude<Value, null>[] {
  return values.filter(isSaid)
}

export function isSaid(value: Value | undefined): value is Exclude<Value, null> {
  return value !== undefined && value !== null && value !== ''
}

/** As the text that a person would see. */
export function textOfValue(value: Exclude<Value, null>): string {
  if (typeof value !== 'object') return String(value)
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1')
}

/** Below it a look is chance. */
const leastShare = 0.5

/** All that the values of a column look like, the likeliest first. */
export function looksOf(values: readonly Value[], objects: ObjectNames): Look[] {
  const some = said(values)
  if (some.length === 0) return []
  const looks = [
    objectLook(some, objects),
    share('object-id', '24 hex digits', some, (value) => isHex(value, 24)),
    share('path', '', some, isPath),
    ...hashes.map(([name, digits]) => share('hash', name, some, (value) => isHash(value, digits))),
    modeLook(some, 'decimal'),
    modeLook(some, 'octal'),
    modeLook(some, 'letters'),
    ...timeUnits.map(([unit, isTime]) => share('time', unit, some, isTime)),
    typeLook(some),
  ]
  return looks
    .filter((look) => look !== undefined && look.share >= leastShare)
    .toSorted((a, b) => b!.share - a!.share) as Look[]
}

type Said = Exclude<Value, null>

function share(
  role: Look['role'],
  detail: string,
  values: readonly Said[],
  is: (value: Said) => boolean,
): Look {
  return { role, detail, share: values.filter(is).length / values.length }
}

/** Values that may name objects which were not listed do not count. */
function objectLook(values: readonly Said[], objects: ObjectNames): Look | undefined {
  const found = values
    .filter((value) => typeof value !== 'object')
    .map((value) => objects.find(String(value)))
    .filter((object) => object !== null)
  const named = found.filter((object) => object !== undefined)
  const isKnown = found.length > 0 && found.length >= values.length / 100
  return isKnown
    ? { role: 'object', detail: named[0]?.by ?? '', share: named.length / found.length }
    : undefined
}

const hashes = [
  ['MD5', 32],
  ['SHA-1', 40],
  ['SHA-256', 64],
] as const

function isHex(value: Said, digits: number): boolean {
  return typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/i.test(value)
}

function isHash(value: Said, digits: number): boolean {
  return isHex(value, digits) || (typeof value === 'object' && value.length * 2 === digits)
}

function isPath(value: Said): boolean {
  const text = typeof value === 'number' || typeof value === 'bigint' ? '' : textOfValue(value)
  return text.includes('/') && !/^\w+:\/\//.test(text) && !/[\n\0]/.test(text)
}

/** Types that a mode can have, and 0. */
const typesOfMode = [0, 0o010000, 0o020000, 0o040000, 0o060000, 0o100000, 0o120000, 0o140000]

/** As st_mode; undefined when it is no such number. */
export function modeOfValue(value: Said, unit: ModeUnit): number | undefined {
  const text = textOfValue(value)
  const digits = unit === 'octal' ? /^(?:0o)?([0-7]{3,7})$/ : /^(\d{1,6})$/
  const mode = Number.parseInt(digits.exec(text)?.[1] ?? '', unit === 'octal' ? 8 : 10)
  return mode <= 0o177777 ? mode : undefined
}

/** Who may do something, the owner may do, too; nobody's files are none. */
function isMode(value: Said, unit: ModeUnit): boolean {
  if (unit === 'letters')
    return typeof value === 'string' && /^[-dlpsbc]?([r-][w-][xsS-]){2}[r-][w-][xtT-]$/.test(value)
  const mode = modeOfValue(value, unit)
  if (mode === undefined || !typesOfMode.includes(mode & 0o170000)) return false
  const [owner, group, others] = [(mode >> 6) & 7, (mode >> 3) & 7, mode & 7]
  return (owner & 4) !== 0 && (group! & ~owner!) === 0 && (others! & ~owner!) === 0
}

/** Counts values, not rows: nearly all files of an account have the same mode. A number that is the same everywhere is none. */
function modeLook(values: readonly Said[], unit: ModeUnit): Look | undefined {
  const distinct = [...new Set(values.map(textOfValue))]
  if (distinct.length < 2 || distinct.length > 200) return undefined
  return share('mode', unit, distinct, (value) => isMode(value, unit))
}

function inRange(low: number, high: number): (value: Said) => boolean {
  return (value) =>
    (typeof value === 'number' ||
      typeof value === 'bigint' ||
      /^-?\d+(?:\.\d+)?$/.test(textOfValue(value))) &&
    Number(value) >= low &&
    Number(value) < high
}

/** Of years from 1985 to 2055: times of files are in that range, and in other units far from it. */
const timeUnits: readonly (readonly [TimeUnit, (value: Said) => boolean])[] = [
  ['s', inRange(5e8, 2.7e9)],
  ['ms', inRange(5e11, 2.7e12)],
  ['us', inRange(5e14, 2.7e15)],
  ['ns', inRange(5e17, 2.7e18)],
  ['iso', (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d|$)/.test(value)],
]

/** A handful of words or numbers, which come again and again. */
function typeLook(values: readonly Said[]): Look | undefined {
  const distinct = new Set(values.map(textOfValue))
  const isHandful = distinct.size >= 2 && distinct.size <= 7 && values.length >= 5 * distinct.size
  const isType = isHandful && [...distinct].every((word) => word.length <= 12)
  return isType ? { role: 'type', detail: [...distinct].join(', '), share: 1 } : undefined
}

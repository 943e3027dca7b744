import { isDeepStrictEqual } from 'node:util'
import { stringify } from 'smol-toml'
import { DestinationError } from '../errors.ts'
import { type FieldName, type FieldValue, fieldNames } from './fields.ts'
import { parseToml } from './parse-toml.ts'

/** Fields of one destination; undefined takes a field out. */
export type FieldChanges = { readonly [Name in FieldName]?: FieldValue | undefined }

/**
 * Changes to the text of a settings file that leave all else in it as it is, comments too. The text is understood a line at a time, and
 * what comes out is compared with what was meant: what is written in another way than usual is refused and not spoilt.
 */

export function addTable(text: string, name: string, fields: FieldChanges): string {
  const before = text === '' || /\n\n$/.test(text) ? text : `${text.replace(/\n?$/, '\n')}\n`
  const lines = fieldNames.flatMap((field) => (fields[field] === undefined ? [] : line(field, fields[field])))
  return checked(text, `${before}[${name}]\n${lines.map((added) => `${added}\n`).join('')}`, name, fields)
}

export function editTable(text: string, name: string, changes: FieldChanges): string {
  const lines = text.split('\n')
  const { start, end } = sectionOf(lines, name)
  const section = lines.slice(start, end)
  for (const field of fieldNames.filter((field) => Object.hasOwn(changes, field))) {
    const at = section.findIndex((present) => fieldIn(present) === field)
    const value = changes[field]
    if (value === undefined && at >= 0) section.splice(at, 1)
    else if (value !== undefined && at >= 0)
      section[at] = `${line(field, value)}${remarkIn(section[at] as string)}`
    else if (value !== undefined) section.push(line(field, value))
  }
  return checked(text, replaced(lines, { start, end }, section), name, changes)
}

export function removeTable(text: string, name: string): string {
  const lines = text.split('\n')
  const { start, end } = sectionOf(lines, name)
  // The empty lines after it go with it, so that what is left stands as before.
  const empty = lines.slice(end).findIndex((following) => following.trim() !== '')
  return checked(text, replaced(lines, { start, end: empty < 0 ? lines.length : end + empty }, []), name)
}

interface Section {
  /** Index of its header. */
  readonly start: number
  /** After its last field. */
  readonly end: number
}

function sectionOf(lines: readonly string[], name: string): Section {
  const start = lines.findIndex((present) => headerIn(present) === name)
  if (start < 0) throw unusual(name)
  const next = lines.findIndex((present, index) => index > start && /^\s*\[/.test(present))
  let end = next < 0 ? lines.length : next
  // What stands above the next table belongs to that.
  while (end > start + 1 && /^\s*(#.*)?$/.test(lines[end - 1] as string)) end--
  return { start, end }
}

function replaced(lines: readonly string[], { start, end }: Section, by: readonly string[]): string {
  const text = [...lines.slice(0, start), ...by, ...lines.slice(end)].join('\n')
  return text === '' || text.endsWith('\n') ? text : `${text}\n`
}

function headerIn(text: string): string | undefined {
  const [, bare, quoted] =
    /^\s*\[\s*(?:([A-Za-z0-9_-]+)|["']([A-Za-z0-9_-]+)["'])\s*\]\s*(?:#.*)?$/.exec(text) ?? []
  return bare ?? quoted
}

function fieldIn(text: string): string | undefined {
  const [, bare, quoted] = /^\s*(?:([a-z_]+)|["']([a-z_]+)["'])\s*=/.exec(text) ?? []
  return bare ?? quoted
}

/** The comment behind a value, with the space before it. */
function remarkIn(text: string): string {
  return /=\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s#"']+)(\s*#.*)$/.exec(text)?.[1] ?? ''
}

function line(field: FieldName, value: FieldValue | undefined): string {
  return stringify({ [field]: value }).trimEnd()
}

/** Invariant of every edit: of what the file means, nothing has changed but what was to change. */
function checked(before: string, after: string, name: string, changes?: FieldChanges): string {
  const { [name]: present, ...others } = meaningOf(before, name)
  const table = { ...present, ...changes }
  // As TOML has no undefined, JSON leaves it out.
  const meant = changes === undefined ? others : JSON.parse(JSON.stringify({ ...others, [name]: table }))
  if (!isDeepStrictEqual(meaningOf(after, name), meant)) throw unusual(name)
  return after
}

function meaningOf(text: string, name: string): Record<string, object> {
  const toml = parseToml(text)
  if ('problem' in toml) throw unusual(name)
  // Without what tables are beyond their content.
  return JSON.parse(JSON.stringify(toml.table))
}

function unusual(name: string): DestinationError {
  return new DestinationError(
    'bad-settings',
    `[${name}] is written in a way that only a person can edit: change it by hand`,
  )
}

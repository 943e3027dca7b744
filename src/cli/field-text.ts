import { resolve } from 'node:path'
import { type FieldName, type FieldValue, fields } from '../destination/settings/fields.ts'

const switches: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  y: true,
  false: false,
  no: false,
  n: false,
}

/** The value that a text typed for a field stands for; what it does not understand stays a text, to be refused as one. */
export function valueOfText(name: FieldName, text: string): FieldValue {
  const { kind } = fields[name]
  if (kind === 'count' && /^[+-]?\d+$/.test(text)) return Number(text)
  if (kind === 'switch') return switches[text.toLowerCase()] ?? text
  // Typed, it is taken from where it is typed.
  if (kind === 'path' && text !== '') return resolve(text)
  return text
}

export function textOfValue(value: unknown): string {
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value)
}

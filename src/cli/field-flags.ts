import type { Options } from 'yargs'
import type { FieldChanges } from '../destination/settings/edit-text.ts'
import { type FieldName, fieldNames, fields, keyFields } from '../destination/settings/fields.ts'
import { valueOfText } from './field-text.ts'

const flaggedFields = fieldNames.filter((name) => !keyFields.some((key) => key === name))

export function flagName(field: FieldName): string {
  return field.replaceAll('_', '-')
}

/** One for each field of a destination but its keys: other users see a command line. */
export const fieldFlags: Readonly<Record<string, Options>> = {
  ...Object.fromEntries(
    flaggedFields.map((name): [string, Options] => {
      const { kind, describe, allowed } = fields[name]
      const common = { group: 'Fields:', describe: kind === 'switch' ? describe : `${describe}: ${allowed}` }
      return [
        flagName(name),
        kind === 'switch' ? { ...common, type: 'boolean' } : { ...common, type: 'string', requiresArg: true },
      ]
    }),
  ),
  'keys-from-stdin': {
    type: 'boolean',
    default: false,
    group: 'Fields:',
    describe:
      'read the access key, the secret key and, if need be, the session token, a line each, from standard input',
  },
}

/** What the flags say; an empty value takes a field out. */
export function fieldsOfFlags(args: Readonly<Record<string, unknown>>): FieldChanges {
  const given = flaggedFields.filter((name) => args[flagName(name)] !== undefined)
  return Object.fromEntries(
    given.map((name) => {
      const value = args[flagName(name)]
      if (typeof value !== 'string') return [name, value]
      return [name, value === '' ? undefined : valueOfText(name, value)]
    }),
  )
}

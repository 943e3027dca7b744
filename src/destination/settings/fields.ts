import { didYouMean } from '../../base/did-you-mean.ts'
import { isBucketName } from '../parse-destination.ts'
import { vendors } from '../vendors.ts'

/** What a field holds. A `secret` is a text that is never shown. */
interface FieldKinds {
  text: string
  /** Of a file; from the folder of the settings file, unless it is absolute. */
  path: string
  secret: string
  count: number
  switch: boolean
}

interface Field<Kind extends keyof FieldKinds> {
  readonly kind: Kind
  /** For people who are asked for it. */
  readonly describe: string
  /** Ends "it must be …". */
  readonly allowed: string
  readonly accepts: (value: FieldKinds[Kind]) => boolean
  /** All there are, where they can be told. */
  readonly words?: readonly string[]
}

const text = (describe: string, allowed: string, accepts: (value: string) => boolean): Field<'text'> => ({
  kind: 'text',
  describe,
  allowed,
  accepts,
})

const oneOf = (describe: string, words: readonly string[]): Field<'text'> => ({
  ...text(describe, `one of ${words.join(', ')}`, (word) => words.includes(word)),
  words,
})

const count = (describe: string, least: number, most: number): Field<'count'> => ({
  kind: 'count',
  describe,
  allowed: `a whole number from ${least} to ${most}`,
  accepts: (value) => Number.isInteger(value) && value >= least && value <= most,
})

const onOff = (describe: string): Field<'switch'> => ({
  kind: 'switch',
  describe,
  allowed: 'true or false',
  accepts: () => true,
})

const secret = (describe: string): Field<'secret'> => ({
  kind: 'secret',
  describe,
  allowed: 'a text in quotes, without spaces',
  accepts: (value) => /^[\x21-\x7e]+$/.test(value),
})

const path = (describe: string): Field<'path'> => ({
  kind: 'path',
  describe,
  allowed: 'a path',
  accepts: (value) => value !== '' && !value.includes('\0'),
})

type AnyField = { [Kind in keyof FieldKinds]: Field<Kind> }[keyof FieldKinds]

/** The fields of a destination in a settings file, in the order in which they are asked for and shown. */
export const fields = {
  vendor: oneOf(
    'who runs the store',
    vendors.map(({ id }) => id),
  ),
  bucket: text(
    'bucket',
    'a name of A-Z a-z 0-9 . _ -, with a letter or digit first and 2 characters or more',
    isBucketName,
  ),
  region: text('region of the bucket', 'a name of A-Z a-z 0-9 . _ -', (name) =>
    /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name),
  ),
  endpoint: text(
    'URL of the server',
    'a URL such as https://s3.{region}.example.com, with {region} and {bucket} where they belong',
    (url) => url !== '',
  ),
  backup_directory: text(
    'folder in the bucket',
    'a path that starts with / and has only A-Z a-z 0-9 /',
    (path) => /^\/[A-Za-z0-9/]*$/.test(path),
  ),
  read_only: onOff('only read there: needed where another server or destination writes'),
  owner: text(
    'name that this server shows to others',
    'a name of 1 to 100 characters on one line',
    (name) => /^[^\p{Cc}]{1,100}$/u.test(name) && name.trim() === name,
  ),
  access_key: secret('access key'),
  secret_key: secret('secret key'),
  session_token: secret('session token, of keys that are lent for a while'),
  keys_file: path('file with access_key = "…" and secret_key = "…", a line each, in place of those here'),
  verify_ssl: onOff("check the server's certificate"),
  ca_file: path('PEM file of a private certificate authority'),
  http_retries: count('further tries of a request that failed', 0, 100),
  max_concurrency: count('requests at a time', 1, 1024),
  index_mapping: path(
    'file that says how to read indexes that another program wrote (a table of that name does as well)',
  ),
  addressing: oneOf('where the bucket stands: in the path of URLs, or in the host name', ['path', 'virtual']),
} as const satisfies Record<string, AnyField>

export type FieldName = keyof typeof fields
export type FieldValues = { [Name in FieldName]?: FieldKinds[(typeof fields)[Name]['kind']] | undefined }
export type FieldValue = FieldKinds[keyof FieldKinds]

export const fieldNames = Object.keys(fields) as FieldName[]
export const keyFields = ['access_key', 'secret_key', 'session_token'] as const satisfies FieldName[]

export function isFieldName(name: string): name is FieldName {
  return Object.hasOwn(fields, name)
}

const typeNames = {
  text: 'string',
  path: 'string',
  secret: 'string',
  count: 'number',
  switch: 'boolean',
} as const

/** Undefined when a field may have this value; else what is wrong, as in `is "x": it must be …`. Repeats no secret. */
export function problemOfValue(name: FieldName, value: unknown): string | undefined {
  const { kind, allowed, accepts, words = [] }: AnyField = fields[name]
  // biome-ignore lint/complexity/noBannedTypes: the type of the value has just been looked at
  const isRight = typeof value === typeNames[kind] && (accepts as Function)(value)
  if (isRight) return undefined
  if (kind === 'secret') return `is not written as it should be: it must be ${allowed}`
  return `is ${shown(value)}${didYouMean(String(value), words)}: it must be ${allowed}`
}

export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'no simple value'
  return String(value)
}

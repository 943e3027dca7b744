import { messageOf } from '../base/errors.ts'
import { storeDefaults } from '../destination/parse-destination.ts'
import type { FieldChanges } from '../destination/settings/edit-text.ts'
import { type FieldName, type FieldValue, fields, keyFields } from '../destination/settings/fields.ts'
import { readKeysFile } from '../destination/settings/keys-file.ts'
import { parseTable, type TableContext } from '../destination/settings/parse-table.ts'
import { vendors } from '../destination/vendors.ts'
import { textOfValue, valueOfText } from './field-text.ts'
import { ownReader } from './settings-files.ts'
import type { Terminal } from './terminal.ts'

type Table = Readonly<Record<string, unknown>>

export interface FieldQuestions extends TableContext {
  readonly terminal: Terminal
  readonly name: string
  /** What is written of it already. */
  readonly present: Table
}

/** Asks for the fields one by one; each answer is checked before the next question. Resolves with those that are to change. */
export async function askFields(questions: FieldQuestions): Promise<FieldChanges> {
  const { terminal, present } = questions
  let table = present
  terminal.say('Enter takes what stands in brackets; - takes out what is written.')
  terminal.say(`Vendors: ${vendors.map(({ id, title }) => `${id} (${title})`).join(', ')}`)
  for (const field of askedFields) {
    if (!isAsked(field, table)) continue
    const value = await askField(field, table, questions)
    table = withField(table, field, value)
  }
  const names = [...new Set([...Object.keys(present), ...Object.keys(table)])]
  return Object.fromEntries(
    names.filter((field) => present[field] !== table[field]).map((field) => [field, table[field]]),
  )
}

/** Those that somebody at a terminal may want to say; the others have flags. */
const askedFields = [
  'vendor',
  'bucket',
  'region',
  'endpoint',
  'backup_directory',
  'read_only',
  'owner',
  'access_key',
  'secret_key',
  'keys_file',
  'verify_ssl',
  'ca_file',
  'http_retries',
  'max_concurrency',
] as const satisfies readonly FieldName[]

/** What does not apply is asked only to be taken out. */
function isAsked(field: FieldName, table: Table): boolean {
  if (table[field] !== undefined) return true
  if (field === 'endpoint') return vendorIn(table)?.endpoint === undefined
  if (field === 'secret_key') return table.access_key !== undefined
  if (field === 'keys_file') return table.access_key === undefined
  if (field === 'ca_file') return table.verify_ssl !== false
  return true
}

async function askField(
  field: FieldName,
  table: Table,
  { terminal, name, file, hostName }: FieldQuestions,
): Promise<FieldValue | undefined> {
  const isSecret = fields[field].kind === 'secret'
  const question = `${fields[field].describe}${hintFor(field, table, hostName)}: `
  for (;;) {
    const answer = await (isSecret ? terminal.askSecret(question) : terminal.ask(question))
    const value =
      answer === ''
        ? (table[field] as FieldValue | undefined)
        : answer === '-'
          ? undefined
          : valueOfText(field, answer)
    const { problems } = parseTable(name, withField(table, field, value), { file, hostName })
    const [problem] = problems.filter((found) => found.field === field)
    const complaint =
      problem === undefined ? complaintOfKeysFile(field, value, table) : `${field} ${problem.text}`
    if (complaint === undefined) return value
    terminal.say(`  ${complaint}`)
  }
}

/** What `saveDestination` would say, while there is somebody to ask again. One that is written already is left to those who use it. */
function complaintOfKeysFile(
  field: FieldName,
  value: FieldValue | undefined,
  table: Table,
): string | undefined {
  if (field !== 'keys_file' || typeof value !== 'string' || value === table.keys_file) return undefined
  try {
    readKeysFile(value, ownReader().ownUid)
    return undefined
  } catch (error) {
    return messageOf(error).replaceAll('\n', '\n  ')
  }
}

function withField(table: Table, field: FieldName, value: FieldValue | undefined): Table {
  if (value !== undefined) return { ...table, [field]: value }
  // The others are worth nothing without it.
  const gone: readonly string[] = field === 'access_key' ? keyFields : [field]
  return Object.fromEntries(Object.entries(table).filter(([name]) => !gone.includes(name)))
}

function hintFor(field: FieldName, table: Table, hostName: string): string {
  const present = table[field]
  if (fields[field].kind === 'secret')
    return present === undefined ? (optionalKeys[field] ?? '') : ' [as it is]'
  if (present !== undefined) return ` [${textOfValue(present)}]`
  const vendor = vendorIn(table)
  if (field === 'endpoint') return vendor?.endpointAdvice === undefined ? '' : ` (${vendor.endpointAdvice})`
  if (field === 'region')
    return vendor?.defaultRegion === undefined
      ? ` (${vendor?.regions?.join(', ') ?? 'as the vendor calls it'})`
      : ` [${vendor.defaultRegion}]`
  const byDefault = {
    read_only: false,
    owner: hostName,
    keys_file: 'none',
    verify_ssl: storeDefaults.verifySsl,
    ca_file: 'none',
    http_retries: storeDefaults.httpRetries,
    max_concurrency: storeDefaults.maxConcurrency,
  } as Partial<Record<FieldName, FieldValue>>
  return byDefault[field] === undefined ? '' : ` [${textOfValue(byDefault[field])}]`
}

const optionalKeys: Partial<Record<FieldName, string>> = {
  access_key: ' [none: a file of keys, or where the AWS tools look]',
}

function vendorIn(table: Table): (typeof vendors)[number] | undefined {
  return vendors.find(({ id }) => id === table.vendor)
}

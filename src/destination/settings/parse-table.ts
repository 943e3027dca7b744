import { dirname, resolve } from 'node:path'
import { didYouMean } from '../../base/did-you-mean.ts'
import { messageOf } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import type { Credentials } from '../credentials.ts'
import { fillEndpoint } from '../endpoint-template.ts'
import { type StoreOptions, storeDefaults } from '../parse-destination.ts'
import { endpointTemplate, type Vendor, vendors } from '../vendors.ts'
import type { DestinationSettings } from './destination-settings.ts'
import {
  type FieldName,
  type FieldValues,
  fieldNames,
  fields,
  isFieldName,
  problemOfValue,
  shown,
} from './fields.ts'
import type { SettingsProblem } from './problem.ts'

export interface TableContext {
  readonly file: string
  /** The name that a server goes by unless the settings say another. */
  readonly hostName: string
}

export interface ParsedTable {
  /** undefined when there are problems. */
  readonly settings: DestinationSettings | undefined
  readonly problems: readonly SettingsProblem[]
}

export const destinationName = /^[A-Za-z0-9][A-Za-z0-9_-]*$/

type Refuse = (field: string, text: string) => undefined

/** Checks one table of a settings file, and completes it by what its vendor says. */
export function parseTable(name: string, table: unknown, { file, hostName }: TableContext): ParsedTable {
  const problems: SettingsProblem[] = []
  const refuse: Refuse = (field, text) => void problems.push({ file, destination: name, field, text })
  if (!destinationName.test(name)) {
    const text =
      'is no name for a destination: it must have only A-Z a-z 0-9 _ -, with a letter or digit first'
    return { settings: undefined, problems: [{ file, destination: name, text }] }
  }
  if (typeof table !== 'object' || table === null || Array.isArray(table)) {
    const text = `stands outside of any destination: write [name] above the fields of one`
    return { settings: undefined, problems: [{ file, field: name, text }] }
  }
  const { index_mapping: mapping, ...plain } = table as Record<string, unknown>
  const isTable = typeof mapping === 'object' && mapping !== null && !Array.isArray(mapping)
  const values = valuesOf(isTable ? plain : (table as Record<string, unknown>), refuse)
  const isMissing = (field: FieldName): boolean => !Object.hasOwn(table, field)
  const needed = (field: FieldName): undefined =>
    isMissing(field) ? refuse(field, `is missing: it must be ${fields[field].allowed}`) : undefined
  const folder = dirname(file)
  const vendor = values.vendor === undefined ? needed('vendor') : vendorOf(values.vendor)
  const bucket = values.bucket ?? needed('bucket')
  const directory = values.backup_directory ?? needed('backup_directory')
  const region =
    vendor && (isMissing('region') || values.region !== undefined)
      ? regionOf(vendor, values.region, refuse)
      : undefined
  const server = vendor && serverOf(vendor, { ...values, region, bucket }, refuse)
  const indexMapping = isTable
    ? { file, table: mapping }
    : values.index_mapping && { file: resolve(folder, values.index_mapping), table: undefined }
  if (indexMapping && values.read_only === false)
    refuse('read_only', 'is false, and index_mapping says that another program writes there: leave one out')
  const credentials = credentialsOf(values, isMissing, refuse)
  if (vendor && bucket !== undefined && directory !== undefined && region !== undefined && server) {
    const store = {
      ...server,
      region,
      credentials,
      caFile: values.ca_file && resolve(folder, values.ca_file),
      verifySsl: values.verify_ssl ?? storeDefaults.verifySsl,
      httpRetries: values.http_retries ?? storeDefaults.httpRetries,
      maxConcurrency: values.max_concurrency ?? storeDefaults.maxConcurrency,
    }
    const settings: DestinationSettings = {
      name,
      file,
      vendor,
      bucket,
      backupDirectory: directory.split('/').filter(Boolean).join('/'),
      readOnly: values.read_only ?? indexMapping !== undefined,
      owner: values.owner ?? hostName,
      store,
      keysFile: values.keys_file && resolve(folder, values.keys_file),
      indexMapping: indexMapping || undefined,
    }
    return { settings: problems.length === 0 ? settings : undefined, problems }
  }
  return { settings: undefined, problems }
}

/** The fields that are as they should be. */
function valuesOf(table: Readonly<Record<string, unknown>>, refuse: Refuse): FieldValues {
  const values: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(table)) {
    if (!isFieldName(name)) {
      // Its value is not shown: it may be a key under a name with a slip in it.
      refuse(name, `is no field${didYouMean(name, fieldNames)}: it must be one of ${fieldNames.join(', ')}`)
      continue
    }
    const problem = problemOfValue(name, value)
    if (problem === undefined) values[name] = value
    else refuse(name, problem)
  }
  return values
}

function vendorOf(id: string): Vendor {
  return vendors.find((vendor) => vendor.id === id)!
}

function regionOf(vendor: Vendor, given: string | undefined, refuse: Refuse): string | undefined {
  const { regions, defaultRegion, title } = vendor
  const allowed = regions === undefined ? fields.region.allowed : `one of ${regions.join(', ')}`
  if (given === undefined)
    return defaultRegion ?? refuse('region', `is missing: for ${title} it must be ${allowed}`)
  if (regions === undefined || regions.includes(given)) return given
  return refuse(
    'region',
    `is ${shown(given)}${didYouMean(given, regions)}: for ${title} it must be ${allowed}`,
  )
}

type Server = Pick<StoreOptions, 'addressing'> & { readonly endpoint: string }

function serverOf(
  vendor: Vendor,
  { endpoint, addressing, region, bucket }: FieldValues,
  refuse: Refuse,
): Server | undefined {
  // A stand-in for what is wrong itself: there may be more to say.
  const values = { region: region ?? vendor.regions?.[0] ?? 'region', bucket: bucket ?? 'bucket' }
  const own = endpointTemplate(vendor, values.region)
  if (own !== undefined && endpoint !== undefined)
    return refuse(
      'endpoint',
      `is not for ${vendor.title}, whose own is made of the region: leave it out, or say vendor = "custom"`,
    )
  const template = own ?? endpoint
  if (template === undefined)
    return refuse('endpoint', `is missing: for ${vendor.title} it must be ${vendor.endpointAdvice}`)
  try {
    const { url, holdsBucket } = fillEndpoint(template, values)
    if (!holdsBucket) return { endpoint: url, addressing: (addressing ?? vendor.addressing) as 'path' }
    if (addressing === undefined) return { endpoint: url, addressing: 'endpoint' }
    return refuse(
      'addressing',
      `is ${shown(addressing)}, but the endpoint says with {bucket} where the bucket stands: leave one out`,
    )
  } catch (error) {
    return refuse('endpoint', `is wrong: ${messageOf(error)}`)
  }
}

function credentialsOf(
  values: FieldValues,
  isMissing: (field: FieldName) => boolean,
  refuse: Refuse,
): Credentials | undefined {
  const { access_key, secret_key, session_token, keys_file } = values
  const given = { access_key, secret_key, session_token }
  const [first] = Object.entries(given).find(([, value]) => value !== undefined) ?? []
  if (first === undefined) return undefined
  if (keys_file !== undefined)
    return refuse('keys_file', `is for keys that are not written here: leave it out, or ${first}`)
  for (const key of ['access_key', 'secret_key'] as const)
    if (isMissing(key)) refuse(key, `is missing: ${first} needs it`)
  if (access_key === undefined || secret_key === undefined) return undefined
  return {
    accessKey: new Secret(access_key),
    secretKey: new Secret(secret_key),
    sessionToken: session_token === undefined ? undefined : new Secret(session_token),
  }
}

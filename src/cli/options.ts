import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { InferredOptionTypes, Options } from 'yargs'
import { parseByteSize } from '../base/byte-size.ts'
import { flag } from '../base/command-line.ts'
import { systemReason } from '../base/system-reason.ts'
import { logLevels } from '../daemon/logging.ts'
import { type Destination, type StoreOptions, storeDefaults } from '../destination/parse-destination.ts'
import { placeFlagsOf } from '../destination/place-flags.ts'
import type { StoreOverrides } from '../destination/settings/named-destination.ts'
import { CliError } from './errors.ts'
import { ownFolders } from './own-folders.ts'

/** Options that several commands share, each said once. */

const storeGroup = 'Object store:'

export const configFlag = {
  config: {
    type: 'string',
    requiresArg: true,
    describe: 'settings file, in place of /etc/jbfs/destinations.toml and ~/.config/jbfs/destinations.toml',
  },
} as const satisfies Record<string, Options>

/**
 * How to reach a destination. Keys are no options: other users see a command line. The defaults are filled in later, as a named
 * destination brings its own.
 */
export const storeFlags = {
  ...configFlag,
  endpoint: {
    type: 'string',
    requiresArg: true,
    group: storeGroup,
    describe: "URL of an S3 server that is not Amazon's [AWS_ENDPOINT_URL]",
  },
  region: {
    type: 'string',
    requiresArg: true,
    group: storeGroup,
    describe: 'region of the bucket [AWS_REGION]',
  },
  addressing: {
    choices: ['path', 'virtual'],
    requiresArg: true,
    group: storeGroup,
    describe: 'bucket in the path of URLs, or in the host name',
  },
  'ca-file': {
    type: 'string',
    requiresArg: true,
    group: storeGroup,
    describe: 'PEM file of a private certificate authority',
  },
  'verify-ssl': {
    type: 'boolean',
    defaultDescription: String(storeDefaults.verifySsl),
    group: storeGroup,
    describe: "check the server's certificate (--no-verify-ssl: do not)",
  },
  'http-retries': {
    type: 'number',
    requiresArg: true,
    defaultDescription: String(storeDefaults.httpRetries),
    group: storeGroup,
    describe: 'further tries of a request that failed',
  },
  'max-concurrency': {
    type: 'number',
    requiresArg: true,
    defaultDescription: String(storeDefaults.maxConcurrency),
    group: storeGroup,
    describe: 'requests at a time',
  },
} as const satisfies Record<string, Options>

export const logLevelFlag = {
  'log-level': {
    choices: logLevels,
    requiresArg: true,
    describe: 'how much to log; debug also shows where each error comes from',
  },
} as const satisfies Record<string, Options>

export const stateDirFlag = {
  'state-dir': {
    type: 'string',
    requiresArg: true,
    describe:
      'where this server keeps who it is, and what is not published yet: /var/lib/jbfs, or ~/.local/state/jbfs',
  },
} as const satisfies Record<string, Options>

/** The absolute path of the state folder. */
export function stateDirOf(args: InferredOptionTypes<typeof stateDirFlag>): string {
  const given = args['state-dir']
  return given === undefined ? ownFolders().state : pathOf('--state-dir', given)
}

export const jsonFlag = {
  json: { type: 'boolean', default: false, describe: 'print JSON for programs' },
} as const satisfies Record<string, Options>

export const yesFlag = {
  yes: { type: 'boolean', alias: 'y', default: false, describe: 'do not ask' },
} as const satisfies Record<string, Options>

export const destinationArgument = {
  type: 'string',
  demandOption: true,
  describe: 'a name of the settings, a folder (path or file:// URL) or s3://bucket/path',
} as const

export const destinationNameArgument = {
  type: 'string',
  demandOption: true,
  describe: 'name of a destination in the settings',
} as const

export type StoreArguments = InferredOptionTypes<typeof storeFlags>

export function storeOptionsOf(args: StoreArguments): StoreOptions {
  const { addressing } = args
  // The names of the AWS tools, so that what works for them works here.
  const endpoint = saidBy('--endpoint', args.endpoint, ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'])
  const region = saidBy('--region', args.region, ['AWS_REGION', 'AWS_DEFAULT_REGION'])
  return {
    endpoint: endpoint && checkedEndpoint(endpoint),
    region: region && checkedRegion(region),
    addressing,
    caFile: args['ca-file'] === undefined ? undefined : checkedFile('--ca-file', args['ca-file']),
    verifySsl: args['verify-ssl'] ?? storeDefaults.verifySsl,
    httpRetries: storeDefaults.httpRetries,
    maxConcurrency: storeDefaults.maxConcurrency,
    ...storeOverridesOf(args),
  }
}

/** What may be said for one command of a named destination, too: all but the place and the trust. */
export function storeOverridesOf(args: StoreArguments): StoreOverrides {
  const retries = args['http-retries']
  const concurrency = args['max-concurrency']
  return {
    ...(retries !== undefined && { httpRetries: countOf('--http-retries', retries, 0) }),
    ...(concurrency !== undefined && { maxConcurrency: countOf('--max-concurrency', concurrency, 1) }),
  }
}

/** What a named destination has in its settings, and there alone. */
export const storePlaceFlags = ['endpoint', 'region', 'addressing', 'ca-file', 'verify-ssl'] as const

/** The flags that say the same again, for a process that is started with them. */
export function storeFlagsOf(destination: Destination, config: string | undefined): string[] {
  const { store, named } = destination
  return [
    ...(named ? flag('config', config && resolve(config)) : placeFlagsOf(store)),
    ...flag('http-retries', store.httpRetries),
    ...flag('max-concurrency', store.maxConcurrency),
  ]
}

/** Bytes of `256M`, given to the option `name`. */
export function sizeOf(name: string, text: string): number {
  const bytes = parseByteSize(text)
  if (bytes === undefined) throw new CliError('usage', `${name} is a size such as 512M or 2G, not "${text}"`)
  return bytes
}

interface Said {
  /** An option, or a variable of the environment. */
  readonly by: string
  readonly text: string
}

/** What an option says, or else the first of these variables that is set. */
function saidBy(option: string, given: string | undefined, variables: readonly string[]): Said | undefined {
  if (given !== undefined) return { by: option, text: given }
  const by = variables.find((name) => process.env[name])
  return by === undefined ? undefined : { by, text: process.env[by] as string }
}

function checkedEndpoint({ by, text }: Said): string {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new CliError('usage', `${by} is a URL such as https://s3.example.com:9000${notText(text)}`)
  if (url.username !== '' || url.password !== '')
    throw new CliError('usage', `${by} holds no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`)
  return text
}

function checkedRegion({ by, text }: Said): string {
  if (/^[\w.-]+$/.test(text)) return text
  throw new CliError('usage', `${by} is the name of a region such as eu-central-1${notText(text)}`)
}

/** What stands before an @ may be keys, and must not be repeated. */
function notText(text: string): string {
  return text.includes('@') ? '' : `, not "${text}"`
}

/** The absolute path given to the option `name`. An empty one is an unset variable in a script, not the working folder. */
export function pathOf(name: string, path: string): string {
  if (path === '') throw new CliError('usage', `${name} is a path, not ""`)
  return resolve(path)
}

function checkedFile(name: string, path: string): string {
  const absolute = pathOf(name, path)
  try {
    if (statSync(absolute).isFile()) return absolute
  } catch (error) {
    throw new CliError('usage', `${name} ${path}: ${systemReason(error)}`, { cause: error })
  }
  throw new CliError('usage', `${name}: ${path} is no file`)
}

/** A whole number, `least` or more, given to the option `name`. */
export function countOf(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new CliError('usage', `${name} is a whole number, ${least} or more`)
}

import { existsSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nearestRealpath } from '../base/containment.ts'
import { didYouMean } from '../base/did-you-mean.ts'
import { messageOf } from '../base/errors.ts'
import type { S3StoreOptions } from '../store/s3-options.ts'
import type { Credentials } from './credentials.ts'
import { DestinationError } from './errors.ts'
import type { IndexMapping } from './settings/destination-settings.ts'
import type { VendorId } from './vendors.ts'

/** What may be said about a destination's store beyond its name. */
export interface StoreOptions {
  /** URL of an S3 server that is not Amazon's. */
  readonly endpoint?: string | undefined
  readonly region?: string | undefined
  /** Whether the bucket stands in the path of a URL, in its host name, or in the `endpoint` already; `path` when there is an `endpoint`. */
  readonly addressing?: S3StoreOptions['addressing'] | undefined
  /** undefined: the S3 store finds them in the environment. */
  readonly credentials?: Credentials | undefined
  /** PEM file of the authorities to trust beside the system's. */
  readonly caFile?: string | undefined
  readonly verifySsl: boolean
  /** Further tries of a request that failed. */
  readonly httpRetries: number
  /** Requests at a time. */
  readonly maxConcurrency: number
}

export const storeDefaults: StoreOptions = Object.freeze({
  verifySsl: true,
  /** As JetBackup's own default. */
  httpRetries: 3,
  /** Small files are bound to latency: 64 in flight keep two cores busy at 30 ms a request. */
  maxConcurrency: 64,
})

export type Destination = DirectoryDestination | S3Destination

export interface DirectoryDestination {
  readonly kind: 'directory'
  /** Absolute and canonical: leases, what waits in the state folder and refusals go by it. */
  readonly path: string
  /** Settings name no folders. */
  readonly named?: undefined
  readonly store: StoreOptions
}

export interface S3Destination {
  readonly kind: 's3'
  readonly bucket: string
  /** The backup directory, or a folder in that of a named one: key prefix without slashes at its ends; empty for the whole bucket. */
  readonly prefix: string
  /** undefined for one that was typed as a place. */
  readonly named?: NamedInSettings | undefined
  readonly store: StoreOptions
}

/** What the settings say of a destination beside how it is reached. */
export interface NamedInSettings {
  readonly name: string
  readonly vendor: VendorId
  /** Where its keys lie; undefined: in the settings, or where the AWS tools look. */
  readonly keysFile?: string | undefined
  /** How the indexes of another program are read; it is `readOnly` then. */
  readonly indexMapping?: IndexMapping | undefined
  /** What this server calls itself there. */
  readonly owner: string
  readonly readOnly: boolean
  /** The `prefix` is this, or lies below. */
  readonly backupDirectory: string
}

const accepted = 'a folder (/path, ./path, file:///path) or s3://bucket/path'

/**
 * The place that a user has typed; relative paths are taken from the working folder. `names` are those of the settings, for who has
 * mistyped one. Throws `bad-destination`.
 */
export function parseDestination(
  text: string,
  store: StoreOptions = storeDefaults,
  names: readonly string[] = [],
): Destination {
  if (text === '') throw new DestinationError('bad-destination', `no destination given: say ${accepted}`)
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return { kind: 'directory', path: pathOf(text, names), store }
  if (scheme === 'file') return { kind: 'directory', path: pathOfUrl(text), store }
  if (scheme === 's3') return { kind: 's3', ...bucketOf(text), store }
  refuseKeys(text)
  throw new DestinationError(
    'bad-destination',
    `${JSON.stringify(text)} is no destination: say ${accepted}` +
      (scheme.startsWith('http') ? ', and the server with --endpoint' : ''),
  )
}

/** The destination as text that means the same in any working folder. */
export function formatDestination(destination: Destination): string {
  if (destination.kind === 'directory') return destination.path
  if (destination.named) {
    const { name, backupDirectory } = destination.named
    const below = destination.prefix.slice(backupDirectory.length).replace(/^\//, '')
    return `${name}${below && `/${below}`}`
  }
  return `s3://${destination.bucket}${destination.prefix && `/${destination.prefix}`}`
}

function pathOf(text: string, names: readonly string[]): string {
  const first = text.split('/')[0] as string
  // A bare word is more often a slip in a name than a folder that is yet to be made.
  const isWord = !['', '.', '..'].includes(first)
  if (isWord && !existsSync(resolve(first)))
    throw new DestinationError('bad-destination', unknownWord(first, names))
  return nearestRealpath(resolve(text))
}

function unknownWord(word: string, names: readonly string[]): string {
  const shown = /[@:]/.test(word) ? 'of this name' : `${JSON.stringify(word)}`
  const settings = names.length === 0 ? '' : `, or one of the settings: ${names.join(', ')}`
  return `there is no folder ${shown} here${didYouMean(word, [...names, ...foldersHere()])}; a destination is ${accepted}${settings}`
}

/** Names of the working folder's folders; none where they may not be listed. */
function foldersHere(): string[] {
  try {
    const entries = readdirSync('.', { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  } catch {
    return []
  }
}

function pathOfUrl(text: string): string {
  try {
    return nearestRealpath(fileURLToPath(text))
  } catch (error) {
    refuseKeys(text)
    throw new DestinationError(
      'bad-destination',
      `${JSON.stringify(text)} names no local folder (${messageOf(error)}): say file:///path`,
      { cause: error },
    )
  }
}

function bucketOf(text: string): Pick<S3Destination, 'bucket' | 'prefix'> {
  const [bucket = '', ...path] = text.slice('s3://'.length).split('/')
  if (bucket.includes(':')) throw keysInDestination()
  if (!isBucketName(bucket)) {
    // The path may hold an @, but a key may hold a slash, too.
    refuseKeys(text)
    throw new DestinationError(
      'bad-destination',
      `${JSON.stringify(bucket)} is no bucket name: say s3://bucket/path`,
    )
  }
  return { bucket, prefix: path.join('/').replace(/^\/+|\/+$/g, '') }
}

/** As lax as the laxest servers. */
export function isBucketName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(text)
}

/** For a text that is wrong anyway: what stands before an @ in it may be keys, and must not be repeated. */
function refuseKeys(text: string): void {
  if (text.includes('@')) throw keysInDestination()
}

function keysInDestination(): DestinationError {
  return new DestinationError(
    'bad-destination',
    'keys do not belong in a destination: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  )
}

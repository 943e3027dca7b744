import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf } from '../base/errors.ts'
import { DestinationError } from './errors.ts'

/** What may be said about a destination's store beyond its name. Keys never come this way: the S3 store finds them in the environment. */
export interface StoreOptions {
  /** URL of an S3 server that is not Amazon's. */
  readonly endpoint?: string | undefined
  readonly region?: string | undefined
  /** Whether the bucket stands in the path of a URL or in its host name; `path` when there is an `endpoint`. */
  readonly addressing?: 'path' | 'virtual' | undefined
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
  /** Absolute. */
  readonly path: string
  readonly store: StoreOptions
}

export interface S3Destination {
  readonly kind: 's3'
  readonly bucket: string
  /** The backup directory: key prefix without slashes at its ends; empty for the whole bucket. */
  readonly prefix: string
  readonly store: StoreOptions
}

const accepted = 'a folder (/path, ./path, file:///path) or s3://bucket/path'

/** What a destination typed by a user names; relative paths are taken from the working folder. Throws `bad-destination`. */
export function parseDestination(text: string, store: StoreOptions = storeDefaults): Destination {
  if (text === '') throw new DestinationError('bad-destination', `no destination given: say ${accepted}`)
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return { kind: 'directory', path: pathOf(text), store }
  if (scheme === 'file') return { kind: 'directory', path: pathOfUrl(text), store }
  if (scheme === 's3') return { kind: 's3', ...bucketOf(text), store }
  refuseKeys(text)
  throw new DestinationError(
    'bad-destination',
    `${JSON.stringify(text)} is no destination: say ${accepted}` +
      (scheme.startsWith('http') ? ', and the server with --endpoint' : ''),
  )
}

/** The destination as text that means the same in any working folder; `parseDestination` reads it back. */
export function formatDestination(destination: Destination): string {
  if (destination.kind === 'directory') return destination.path
  return `s3://${destination.bucket}${destination.prefix && `/${destination.prefix}`}`
}

function pathOf(text: string): string {
  const path = resolve(text)
  // A bare word is more often a slip than a folder in the working folder.
  if (!text.includes('/') && !existsSync(path))
    throw new DestinationError(
      'bad-destination',
      `there is no folder ${/[@:]/.test(text) ? 'of this name' : JSON.stringify(text)} here; a destination is ${accepted}`,
    )
  return path
}

function pathOfUrl(text: string): string {
  try {
    return resolve(fileURLToPath(text))
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
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(bucket)) {
    // The path may hold an @, but a key may hold a slash, too.
    refuseKeys(text)
    throw new DestinationError(
      'bad-destination',
      `${JSON.stringify(bucket)} is no bucket name: say s3://bucket/path`,
    )
  }
  return { bucket, prefix: path.join('/').replace(/^\/+|\/+$/g, '') }
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

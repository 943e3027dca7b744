import type { Advise } from './errors.ts'
import type { WriteGuard } from './object-store.ts'
import type { RetryOptions } from './with-retry.ts'

export interface S3StoreOptions {
  readonly bucket: string
  /** Before all keys; '' or ending in a slash. */
  readonly prefix: string
  /** URL of the server; undefined: whichever the SDK finds (environment, profile), or Amazon's in the region. */
  readonly endpoint?: string | undefined
  readonly region: string
  /** Whether the bucket stands in the path of a URL, in its host name, or in the `endpoint` as that is given. */
  readonly addressing: 'path' | 'virtual' | 'endpoint'
  /** undefined: wherever the SDK finds keys (environment, profile, instance …). */
  readonly credentials?:
    | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
    | undefined
  readonly verifyTls: boolean
  /** PEM file of authorities to trust beside the system's and Node's own. */
  readonly caFile?: string | undefined
  /** For tests: where connections go instead. The name in the URL is still what the certificate must be for, and is signed. */
  readonly connectTo?: { readonly host: string; readonly port: number } | undefined
  /** When it throws, nothing more goes out over this store's connections, but for objects that are got whole or by ranges. */
  readonly guard?: WriteGuard | undefined
  /** Requests at a time for objects that are got whole or by ranges, and as many for everything else. */
  readonly maxConnections: number
  /** Milliseconds until a connection stands. */
  readonly connectTimeout: number
  /** Milliseconds until an answer begins, and between any two bytes of it, or of a body that is sent. */
  readonly responseTimeout: number
  /** What to do about what goes wrong, in its messages. */
  readonly advise?: Advise | undefined
  /** How often a part of an upload that failed is sent again, and where that is counted. */
  readonly partRetry?: Omit<RetryOptions, 'signal'> | undefined
}

export const s3Defaults = Object.freeze({
  verifyTls: true,
  maxConnections: 64,
  connectTimeout: 10_000,
  /** Every request ends in bounded time: readers of a hung store cannot be interrupted by the kernel's read-ahead. */
  responseTimeout: 30_000,
})

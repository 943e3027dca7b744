import { readFileSync } from 'node:fs'
import { getCACertificates } from 'node:tls'

export interface S3StoreOptions {
  readonly bucket: string
  /** Before all keys; '' or ending in a slash. */
  readonly prefix: string
  /** URL of the server; undefined for Amazon's in the region. */
  readonly endpoint?: string | undefined
  readonly region: string
  /** Whether the bucket stands in the path of a URL or in its host name. */
  readonly addressing: 'path' | 'virtual'
  /** undefined: wherever the SDK finds keys (environment, profile, instance …). */
  readonly credentials?:
    | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
    | undefined
  readonly verifyTls: boolean
  /** PEM file of authorities to trust beside the system's. */
  readonly caFile?: string | undefined
  /** Connections for objects that are got whole or by ranges, and as many for everything else. */
  readonly maxConnections: number
  /** Milliseconds until a connection stands. */
  readonly connectTimeout: number
  /** Milliseconds until an answer begins, and between any two bytes of it, or of a body that is sent. */
  readonly responseTimeout: number
}

export const s3Defaults = Object.freeze({
  verifyTls: true,
  maxConnections: 64,
  connectTimeout: 10_000,
  /** Every request ends in bounded time: readers of a hung store cannot be interrupted by the kernel's read-ahead. */
  responseTimeout: 30_000,
})

/** Amazon's own server of the region where no other is named. */
export function endpointOf({ endpoint, region }: Pick<S3StoreOptions, 'endpoint' | 'region'>): URL {
  return new URL(endpoint ?? `https://s3.${region}.amazonaws.com`)
}

/** Who is trusted: `ca` replaces Node's own list, so the system's stand in it beside the private one. */
export function authorities({ caFile }: Pick<S3StoreOptions, 'caFile'>): { ca?: string[] } {
  if (caFile === undefined) return {}
  return {
    ca: [...getCACertificates('system'), ...getCACertificates('bundled'), readFileSync(caFile, 'utf8')],
  }
}

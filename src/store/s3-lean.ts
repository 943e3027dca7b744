import { isIP } from 'node:net'
import { LeanGet, type LeanGetOptions } from './lean-get.ts'
import { authorities, endpointOf, type S3StoreOptions } from './s3-options.ts'

/** The lean way to the server that these options name; undefined where only the SDK knows the way. */
export function leanGetOf(
  options: S3StoreOptions,
  credentials: LeanGetOptions['credentials'],
): LeanGet | undefined {
  const { region, addressing, bucket, verifyTls, maxConnections, connectTimeout, responseTimeout } = options
  const url = endpointOf(options)
  const isVirtual = addressing === 'virtual'
  // A name with dots is not covered by a wildcard certificate: the SDK has its own way there.
  if (isVirtual && bucket.includes('.')) return undefined
  const hostname = isVirtual ? `${bucket}.${url.hostname}` : url.hostname
  // Only in a URL and in a Host header an IPv6 address stands in brackets.
  const host = hostname.replaceAll(/^\[|\]$/g, '')
  const base = url.pathname.replace(/\/$/, '')
  const isTls = url.protocol === 'https:'
  const tls = {
    // An address has no name to ask for (RFC 6066).
    ...(isIP(host) === 0 && { servername: host }),
    rejectUnauthorized: verifyTls,
    ...authorities(options),
  }
  return new LeanGet({
    region,
    host,
    port: Number(url.port) || (isTls ? 443 : 80),
    hostHeader: url.port === '' ? hostname : `${hostname}:${url.port}`,
    basePath: isVirtual ? `${base}/` : `${base}/${bucket}/`,
    tls: isTls ? tls : undefined,
    maxConnections,
    credentials,
    connectTimeout,
    responseTimeout,
  })
}

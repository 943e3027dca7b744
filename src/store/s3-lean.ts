import { isIP } from 'node:net'
import { LeanGet, type LeanGetOptions } from './lean-get.ts'
import { authorities, type S3StoreOptions } from './s3-options.ts'

/** The lean way to the server that these options name; undefined where only the SDK knows the way. */
export function leanGetOf(
  {
    endpoint,
    region,
    addressing,
    bucket,
    verifyTls,
    caFile,
    connectTimeout,
    responseTimeout,
  }: S3StoreOptions,
  credentials: LeanGetOptions['credentials'],
): LeanGet | undefined {
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`)
  const isVirtual = addressing === 'virtual'
  // A name with dots is not covered by a wildcard certificate: the SDK has its own way there.
  if (isVirtual && bucket.includes('.')) return undefined
  const host = isVirtual ? `${bucket}.${url.hostname}` : url.hostname
  const base = url.pathname.replace(/\/$/, '')
  const isTls = url.protocol === 'https:'
  const tls = {
    // An address has no name to ask for (RFC 6066).
    ...(isIP(host) === 0 && { servername: host }),
    rejectUnauthorized: verifyTls,
    ...authorities({ caFile }),
  }
  return new LeanGet({
    region,
    host,
    port: Number(url.port) || (isTls ? 443 : 80),
    hostHeader: url.port === '' ? host : `${host}:${url.port}`,
    basePath: isVirtual ? `${base}/` : `${base}/${bucket}/`,
    tls: isTls ? tls : undefined,
    credentials,
    connectTimeout,
    responseTimeout,
  })
}

import { readFileSync } from 'node:fs'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import type { S3StoreOptions } from './s3-options.ts'

/**
 * Who is trusted: the system's authorities, Node's own (NODE_EXTRA_CA_CERTS among them) and the private ones. Made once for all connections of
 * a store, as reading the list takes longer than a request; undefined for a server without TLS.
 */
export function trustOf({
  caFile,
  endpoint,
}: Pick<S3StoreOptions, 'caFile' | 'endpoint'>): SecureContext | undefined {
  if (endpoint?.startsWith('http:')) return undefined
  const known = [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
  const own = caFile === undefined ? [] : [readFileSync(caFile, 'utf8')]
  return createSecureContext({ ca: [...known, ...own] })
}

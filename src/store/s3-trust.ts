import { readFileSync } from 'node:fs'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { messageOf } from '../base/errors.ts'
import { StoreError } from './errors.ts'
import type { S3StoreOptions } from './s3-options.ts'

/**
 * Who is trusted: the system's authorities, Node's own (NODE_EXTRA_CA_CERTS among them) and the private ones. Made once for all connections of
 * a store, as reading the list takes longer than a request. Throws `tls` when the file holds no certificates.
 */
export function trustOf({ caFile }: Pick<S3StoreOptions, 'caFile'>): SecureContext {
  const known = [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
  if (caFile === undefined) return createSecureContext({ ca: known })
  try {
    return createSecureContext({ ca: [...known, readFileSync(caFile, 'utf8')] })
  } catch (error) {
    throw new StoreError('tls', `${caFile} holds no certificates: ${messageOf(error)}`, { cause: error })
  }
}

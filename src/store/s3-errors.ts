import { codeOf, messageOf } from '../base/errors.ts'
import { StoreError, type StoreErrorCode } from './errors.ts'

/** What the SDK throws, as far as it is looked at. */
interface SdkError {
  readonly name?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/** Where a request went, for messages. */
export interface S3Place {
  /** `s3://bucket/prefix` */
  readonly store: string
  /** Host, with the port where it is not the usual one. */
  readonly server: string
}

/** S3's codes for credentials and permissions, with what to do about them. */
const refusals: Readonly<Record<string, string>> = {
  InvalidAccessKeyId: 'it does not know the access key: check AWS_ACCESS_KEY_ID',
  // versitygw's own name for it.
  XAdminUserNotFound: 'it does not know the access key: check AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'the secret key is wrong: check AWS_SECRET_ACCESS_KEY',
  AccessDenied: 'the keys have no permission for this',
  ExpiredToken: 'the session token has expired',
  RequestTimeTooSkewed: 'the clock of this machine is off by more than 15 minutes',
  CredentialsProviderError: 'no keys were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  AuthorizationHeaderMalformed: 'the region is wrong: give it with --region',
  Forbidden: 'the keys have no permission for this',
  InvalidToken: 'the session token is wrong',
}

/** S3's codes for what may go well the next time, though some come with a status of the client's faults. */
const transient = new Set([
  'BadDigest',
  'IncompleteBody',
  'InternalError',
  'NoSuchUpload',
  'OperationAborted',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
  'XAmzContentSHA256Mismatch',
])

/** Node's codes for TLS that fails, with what to do. */
const tlsFaults: Readonly<Record<string, string>> = {
  EPROTO: 'the server does not speak TLS: check whether the endpoint begins with http:// or https://',
  ERR_SSL_WRONG_VERSION_NUMBER:
    'the server does not speak TLS: check whether the endpoint begins with http:// or https://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG:
    'the server does not speak TLS: check whether the endpoint begins with http:// or https://',
  ERR_TLS_CERT_ALTNAME_INVALID: "the server's certificate is for another host name: check the endpoint",
  HOSTNAME_MISMATCH: "the server's certificate is for another host name: check the endpoint",
  CERT_HAS_EXPIRED: "the server's certificate has expired: renew it there",
  CERT_NOT_YET_VALID: "the server's certificate is not valid yet: check the clock of this machine",
}
/** OpenSSL's codes for a certificate that nobody vouches for (X509_verify_cert_error_string(3)). */
const distrustCodes = /^(CERT_|DEPTH_|SELF_|UNABLE_)/
/** Codes for settings that two sides cannot agree on. All else, as a record that was garbled on its way, may go well the next time. */
const disagreementCodes =
  /^ERR_(TLS_|SSL_.*(UNSUPPORTED|VERSION|PROTOCOL|CIPHER|HANDSHAKE_FAILURE|KEY_TOO_SMALL|KEY_TOO_WEAK|CERTIFICATE))/

const timeoutCodes = new Set(['ETIMEDOUT', 'ESOCKETTIMEDOUT'])

/** The `StoreError` for whatever a request to S3 failed with. No secret is in any of the texts. */
export function s3Error(error: unknown, { store, server }: S3Place, what: string): StoreError {
  if (error instanceof StoreError) return error
  const { name = '', $metadata } = error as SdkError
  const status = $metadata?.httpStatusCode ?? 0
  const make = (code: StoreErrorCode, text: string): StoreError =>
    new StoreError(code, `${store}: ${printable(what)}: ${printable(text)}`, { cause: error })
  const network = networkCode(error)

  if (name === 'NoSuchBucket')
    return make('no-bucket', `there is no such bucket at ${server}: check its name and the endpoint`)
  const refusal = refusals[name]
  if (refusal !== undefined) return make('access-denied', refusal)
  if (transient.has(name)) return make('unavailable', `${server} could not do it now: ${name} ${status}`)
  if (name === 'PreconditionFailed' || status === 412) return make('changed', 'it is no longer what it was')
  if (name === 'ConditionalRequestConflict')
    return make('changed', 'something else is changing it at the same time')
  if (name === 'InvalidRange' || status === 416) return make('invalid', 'the range lies behind its end')
  const tls = network === undefined ? undefined : tlsFault(network)
  if (tls !== undefined) return make('tls', tls)
  if (network !== undefined && timeoutCodes.has(network))
    return make('timeout', `${server} did not answer in time`)
  if (network === 'ENOTFOUND') return make('unavailable', `there is no host ${server}: check the endpoint`)
  if (network === 'ECONNREFUSED')
    return make('unavailable', `nothing answers at ${server} (connection refused): check the endpoint`)
  if (network !== undefined) return make('unavailable', `the connection to ${server} failed (${network})`)
  // Behind the codes of the network: the SDK gives this name to connections that are reset, too.
  if (name === 'TimeoutError') return make('timeout', `${server} did not answer in time`)
  if (status === 301 || status === 307 || name === 'PermanentRedirect')
    return make('invalid', 'the bucket is elsewhere: check region and endpoint')
  if (status === 403 || status === 401) return make('access-denied', refusals.AccessDenied as string)
  // Nothing was sent: the SDK itself found the request wrong.
  if (status === 0 && (error instanceof TypeError || error instanceof RangeError))
    return make('invalid', messageOf(error))
  if (status === 501) return make('unsupported', `${server} does not know this kind of request`)
  if (status >= 500 || status === 429 || status === 0)
    return make('unavailable', `${server} failed: ${name} ${status || messageOf(error)}`)
  return make('invalid', `${name}: ${messageOf(error)} (${status})`)
}

/** What is wrong with TLS so that it will be the next time; undefined for all other codes. */
function tlsFault(code: string): string | undefined {
  if (tlsFaults[code] !== undefined) return tlsFaults[code]
  if (distrustCodes.test(code))
    return `the server's certificate is not trusted (${code}): give its authority with --ca-file`
  return disagreementCodes.test(code) ? `there is no TLS with the server (${code})` : undefined
}

/** Keys and servers' texts may hold line breaks; a message is one line. */
function printable(text: string): string {
  return text.replaceAll(/[\x00-\x1f\x7f]+/g, '?').trim()
}

/** The code of a failed socket, wherever in the chain of causes it is. */
function networkCode(error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause !== undefined && depth < 5; depth++) {
    const code = codeOf(cause)
    if (code !== undefined && /^(E[A-Z]+|CERT_|ERR_|HPE_|DEPTH_|SELF_|UNABLE_|HOSTNAME_)/.test(code))
      return code
    cause = (cause as { cause?: unknown }).cause
  }
  return undefined
}

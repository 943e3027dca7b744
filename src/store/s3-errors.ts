import { codeOf, messageOf } from '../base/errors.ts'
import { type Advise, StoreError, type StoreErrorCode, type StoreFault } from './errors.ts'

/** What the SDK throws, as far as it is looked at. */
interface SdkError {
  readonly name?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> }
  /** The element of the same name, of an answer that corrects it. */
  readonly Region?: string
}

/** Where a request went, for messages. */
export interface S3Place {
  /** `s3://bucket/prefix` */
  readonly store: string
  /** Host, with the port where it is not the usual one. */
  readonly server: string
  readonly advise?: Advise | undefined
}

interface Refusal {
  readonly fault: StoreFault
  readonly text: string
}

const unknownKey: Refusal = {
  fault: 'unknown-key',
  text: 'it does not know the access key',
}
const noPermission: Refusal = { fault: 'no-permission', text: 'the keys have no permission for this' }

/** S3's codes for credentials and permissions. */
const refusals: Readonly<Record<string, Refusal>> = {
  InvalidAccessKeyId: unknownKey,
  // versitygw's own name for it.
  XAdminUserNotFound: unknownKey,
  SignatureDoesNotMatch: {
    fault: 'wrong-secret',
    text: 'the secret key is wrong',
  },
  AccessDenied: noPermission,
  Forbidden: noPermission,
  ExpiredToken: { fault: 'session-token', text: 'the session token has expired' },
  InvalidToken: { fault: 'session-token', text: 'the session token is wrong' },
  RequestTimeTooSkewed: {
    fault: 'clock',
    text: 'the clock of this machine is off by more than 15 minutes',
  },
  CredentialsProviderError: {
    fault: 'no-keys',
    text: 'no keys were found',
  },
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

/** What servers call a kind of request that they do not have; most answer 501 besides. */
const unknownRequests = new Set([
  'NotImplemented',
  'XNotImplemented',
  'MethodNotAllowed',
  'UnsupportedOperation',
])

/** Whether the server does not have this kind of request at all, whoever asks and for whatever. */
export function isUnknownRequest(error: unknown): boolean {
  const { name = '', $metadata } = error as SdkError
  return unknownRequests.has(name) || $metadata?.httpStatusCode === 501 || $metadata?.httpStatusCode === 405
}

/** The `StoreError` for whatever a request to S3 failed with, with the advice of whoever opened the store. No secret is in any of the texts. */
export function s3Error(error: unknown, place: S3Place, what: string): StoreError {
  if (error instanceof StoreError) return error
  const problem = problemOf(error, place, what)
  const advice = place.advise?.(problem) ?? ''
  return advice === '' ? problem : problem.withAdvice(advice)
}

function problemOf(error: unknown, { store, server }: S3Place, what: string): StoreError {
  const { name = '', $metadata } = error as SdkError
  const status = $metadata?.httpStatusCode ?? 0
  const make = (code: StoreErrorCode, text: string, fault?: StoreFault, region?: string): StoreError =>
    new StoreError(code, `${store}: ${printable(what)}: ${printable(text)}`, { cause: error, fault, region })
  const network = networkCode(error)

  if (name === 'NoSuchBucket') return make('no-bucket', `there is no such bucket at ${server}`)
  if (isElsewhere(error as SdkError)) {
    const region = correctedRegion(error as SdkError)
    const where = region === undefined ? '' : ` (the server says ${region})`
    return make('invalid', `the bucket is in another region${where}`, 'region', region)
  }
  const refusal = refusals[name]
  if (refusal !== undefined) return make('access-denied', refusal.text, refusal.fault)
  if (transient.has(name)) return make('unavailable', `${server} could not do it now: ${name} ${status}`)
  if (name === 'PreconditionFailed' || status === 412) return make('changed', 'it is no longer what it was')
  if (name === 'ConditionalRequestConflict')
    return make('changed', 'something else is changing it at the same time')
  if (name === 'InvalidRange' || status === 416) return make('invalid', 'the range lies behind its end')
  const tls = network === undefined ? undefined : tlsFault(network)
  if (tls !== undefined) return make('tls', tls, isDistrust(network) ? 'untrusted' : undefined)
  if (network !== undefined && timeoutCodes.has(network))
    return make('timeout', `${server} did not answer in time`)
  if (network === 'ENOTFOUND') return make('unavailable', `there is no host ${server}`, 'no-host')
  if (network === 'ECONNREFUSED') {
    const text = `nothing answers at ${server} (connection refused)`
    return make('unavailable', text, 'connection-refused')
  }
  if (network === 'ERR_PROXY_TUNNEL' || status === 407)
    return make('invalid', 'the proxy lets nobody through', 'proxy')
  if (network !== undefined) return make('unavailable', `the connection to ${server} failed (${network})`)
  // Behind the codes of the network: the SDK gives this name to connections that are reset, too.
  if (name === 'TimeoutError') return make('timeout', `${server} did not answer in time`)
  if (status === 403 || status === 401) return make('access-denied', noPermission.text, noPermission.fault)
  // Nothing was sent: the SDK itself found the request wrong.
  if (status === 0 && (error instanceof TypeError || error instanceof RangeError))
    return make('invalid', messageOf(error))
  if (isUnknownRequest(error)) return make('unsupported', `${server} does not know this kind of request`)
  if (status >= 500 || status === 429 || status === 0)
    return make('unavailable', `${server} failed: ${name} ${status || messageOf(error)}`)
  return make('invalid', `${name}: ${messageOf(error)} (${status})`)
}

/** S3 answers a request that was signed for another region, or that went to the endpoint of one, in different ways. */
function isElsewhere({
  name = '',
  $metadata,
  Region,
  message,
}: SdkError & { readonly message?: string }): boolean {
  const status = $metadata?.httpStatusCode
  return (
    ['AuthorizationHeaderMalformed', 'PermanentRedirect', 'IllegalLocationConstraintException'].includes(
      name,
    ) ||
    status === 301 ||
    status === 307 ||
    // As MinIO and others say it.
    (status === 400 && (Region !== undefined || /region/i.test(message ?? '')))
  )
}

/** S3 says it in a member of the error or in a header; older servers in their text: `the region "x" is wrong; expecting "y"`. */
function correctedRegion(error: SdkError & { readonly message?: string }): string | undefined {
  const said =
    error.Region ??
    error.$response?.headers?.['x-amz-bucket-region'] ??
    /expecting ["']([^"']+)["']/.exec(error.message ?? '')?.[1]
  // Only what looks like one is repeated.
  return /^[a-z0-9-]{1,64}$/i.test(said ?? '') ? said : undefined
}

/** Whether a certificate is wrong only because nobody vouches for it: one that has expired is no better with an authority. */
function isDistrust(code = ''): boolean {
  return tlsFaults[code] === undefined && distrustCodes.test(code)
}

/** What is wrong with TLS so that it will be the next time; undefined for all other codes. */
function tlsFault(code: string): string | undefined {
  if (tlsFaults[code] !== undefined) return tlsFaults[code]
  if (distrustCodes.test(code)) return `the server's certificate is not trusted (${code})`
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

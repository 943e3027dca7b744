import { codeOf, messageOf } from '../base/errors.ts'
import { StoreError, type StoreErrorCode } from './errors.ts'

/** What the SDK throws, as far as it is looked at. */
interface SdkError {
  readonly name?: string
  readonly message?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/** S3's codes for credentials and permissions, with what to do about them. */
const refusals: Record<string, string> = {
  InvalidAccessKeyId: 'it does not know the access key: check AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'the secret key is wrong: check AWS_SECRET_ACCESS_KEY',
  AccessDenied: 'the keys have no permission for this',
  ExpiredToken: 'the session token has expired',
  RequestTimeTooSkewed: 'the clock of this machine is off by more than 15 minutes',
  CredentialsProviderError: 'no keys were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  AuthorizationHeaderMalformed: 'the region is wrong: give it with --region',
  Forbidden: 'the keys have no permission for this',
  InvalidToken: 'the session token is wrong',
}

/** A host name that does not exist will not come up by waiting; all other failures of the network may pass. */
const tlsCodes =
  /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|EPROTO|HOSTNAME_MISMATCH)/

const timeoutCodes = new Set([
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** The `StoreError` for whatever a request to S3 failed with. `store` describes the store; no secret is in any of the texts. */
export function s3Error(error: unknown, store: string, what: string): StoreError {
  if (error instanceof StoreError) return error
  const { name = '', $metadata } = error as SdkError
  const status = $metadata?.httpStatusCode ?? 0
  const make = (code: StoreErrorCode, text: string): StoreError =>
    new StoreError(code, `${store}: ${what}: ${text}`, { cause: error })
  const network = networkCode(error)

  if (name === 'NoSuchBucket')
    return make('no-bucket', 'there is no such bucket: check its name and the endpoint')
  if (name in refusals) return make('access-denied', refusals[name] as string)
  if (name === 'PreconditionFailed' || status === 412) return make('changed', 'it is no longer what it was')
  if (name === 'ConditionalRequestConflict' || status === 409)
    return make('changed', 'something else is changing it at the same time')
  if (name === 'InvalidRange' || status === 416) return make('invalid', 'the range lies behind its end')
  if (network !== undefined && tlsCodes.test(network))
    return make(
      'tls',
      `the server's certificate is not trusted (${network}): give its authority with --ca-file`,
    )
  if (name === 'TimeoutError' || (network !== undefined && timeoutCodes.has(network)))
    return make('timeout', 'the server did not answer in time')
  if (network === 'ENOTFOUND') return make('unavailable', 'there is no such host: check the endpoint')
  if (network === 'ECONNREFUSED')
    return make('unavailable', 'nothing answers there (connection refused): check the endpoint')
  if (network !== undefined) return make('unavailable', `the connection failed (${network})`)
  if (status === 301 || status === 307 || name === 'PermanentRedirect')
    return make('invalid', 'the bucket is elsewhere: check region and endpoint')
  if (status === 403 || status === 401) return make('access-denied', refusals.AccessDenied as string)
  if (status >= 500 || status === 429 || status === 0)
    return make('unavailable', `${name} ${status || messageOf(error)}`.trim())
  return make('invalid', `${name}: ${messageOf(error)} (${status})`)
}

/** The code of a failed socket, wherever in the chain of causes it is. */
function networkCode(error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause !== undefined && depth < 5; depth++) {
    const code = codeOf(cause)
    if (code !== undefined && /^(E[A-Z]+|CERT_|ERR_|UND_|DEPTH_|SELF_|UNABLE_|HOSTNAME_)/.test(code))
      return code
    cause = (cause as { cause?: unknown }).cause
  }
  return undefined
}

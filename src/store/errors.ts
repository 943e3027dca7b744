import { JbfsError } from '../base/errors.ts'

/**
 * What can go wrong at a store, by what the caller can do about it:
 * `unavailable` the store failed or could not be reached (retried by `withRetry`) · `timeout` it did not answer in time
 * (retried) · `access-denied` it refused the credentials · `no-bucket` bucket or folder is not there · `tls` its
 * certificate is not trusted · `exists`, `changed` a condition of a put or get did not hold · `invalid` a request it will never
 * accept · `unsupported` a kind of request, or condition, that it does not know · `read-only` a write reached a store that must not write.
 */
export const storeErrorCodes = [
  'unavailable',
  'timeout',
  'access-denied',
  'no-bucket',
  'tls',
  'exists',
  'changed',
  'invalid',
  'unsupported',
  'read-only',
] as const
export type StoreErrorCode = (typeof storeErrorCodes)[number]

/**
 * What exactly is wrong, where a server or the network says it: for people who look for the cause. What to do about it is decided by the code alone.
 */
export type StoreFault =
  | 'no-host'
  | 'connection-refused'
  | 'proxy'
  | 'untrusted'
  | 'no-keys'
  | 'unknown-key'
  | 'wrong-secret'
  | 'session-token'
  | 'no-permission'
  | 'clock'
  | 'region'

export interface StoreErrorOptions extends ErrorOptions {
  readonly fault?: StoreFault | undefined
  /** Where the bucket is, as the server says. */
  readonly region?: string | undefined
}

/**
 * What is to be added to the message of an error, from its punctuation on; '' for nothing. Whoever opens a store knows where its place and its keys are written
 * down, and how that is changed; the store does not.
 */
export type Advise = (error: StoreError) => string

export class StoreError extends JbfsError<StoreErrorCode> {
  override readonly name = 'StoreError'
  readonly fault: StoreFault | undefined
  readonly region: string | undefined

  constructor(code: StoreErrorCode, message: string, { fault, region, ...options }: StoreErrorOptions = {}) {
    super(code, message, options)
    this.fault = fault
    this.region = region
  }

  /** The same error with more to its message. */
  withAdvice(advice: string): StoreError {
    const { code, message, cause, fault, region } = this
    return new StoreError(code, `${message}${advice}`, { cause, fault, region })
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return this.code === 'unavailable' || this.code === 'timeout'
  }
}

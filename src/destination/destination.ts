import type { Logger } from '../base/log.ts'
import { DirectoryStore } from '../store/directory-store.ts'
import type { ObjectReader, ObjectStore } from '../store/object-store.ts'
import { readOnly } from '../store/read-only.ts'
import { type S3StoreOptions, s3Defaults } from '../store/s3-options.ts'
import { S3Store } from '../store/s3-store.ts'
import { withConcurrency } from '../store/with-concurrency.ts'
import { createMetrics, type StoreMetrics, withMetrics } from '../store/with-metrics.ts'
import { defaultRetryPolicy, withRetry } from '../store/with-retry.ts'
import type { Credentials } from './credentials.ts'
import type { Destination, S3Destination } from './parse-destination.ts'

export interface OpenOptions {
  readonly logger: Logger
  /** Counts the requests that reach the store, each try of them. */
  readonly metrics?: StoreMetrics | undefined
}

/** Dispose to close its connections; what is under way then fails. */
export interface OpenDestination extends Disposable {
  readonly reader: ObjectReader
  /** For messages: `s3://bucket/path` or a folder. */
  readonly description: string
}

export interface AcquiredDestination extends Disposable {
  readonly store: ObjectStore
  /** For messages: `s3://bucket/path` or a folder. */
  readonly description: string
}

/** Opens a destination for reading: nothing that is made of the result can write. Sends no request yet. */
export function openDestination(destination: Destination, options: OpenOptions): OpenDestination {
  const { store, description, [Symbol.dispose]: close } = open(destination, options)
  return { reader: readOnly(store), description, [Symbol.dispose]: close }
}

/**
 * Opens a destination for writing. Nothing else hands out a store that can write. It does not keep a second writer away: an import
 * publishes by conditional puts, so that of two writers of one snapshot only one succeeds.
 */
export function acquireDestination(destination: Destination, options: OpenOptions): AcquiredDestination {
  return open(destination, options)
}

/** A request waits for its turn at each try, so that one that pauses before the next try holds up no other. */
function open(
  destination: Destination,
  { logger, metrics = createMetrics() }: OpenOptions,
): AcquiredDestination {
  const { httpRetries, maxConcurrency } = destination.store
  const policy = { ...defaultRetryPolicy, retries: httpRetries }
  const opened =
    destination.kind === 's3'
      ? openS3(destination, logger, { policy, metrics })
      : openDirectory(destination.path, logger)
  const counted = withMetrics(opened.store, metrics)
  const store = withRetry(withConcurrency(counted, maxConcurrency), policy, metrics)
  return { store, description: store.description, [Symbol.dispose]: opened.close }
}

interface Opened {
  readonly store: ObjectStore
  close(): void
}

function openDirectory(path: string, logger: Logger): Opened {
  return { store: new DirectoryStore(path, { logger }), close: () => {} }
}

function openS3(
  { bucket, prefix, store }: S3Destination,
  logger: Logger,
  partRetry: S3StoreOptions['partRetry'],
): Opened {
  const { endpoint, region, addressing, credentials, caFile, verifySsl, maxConcurrency } = store
  if (!verifySsl) logger.warn({ bucket }, "the server's certificate is not checked")
  const s3 = new S3Store({
    ...s3Defaults,
    bucket,
    prefix: prefix === '' ? '' : `${prefix}/`,
    endpoint,
    // Servers that are not Amazon's mostly do not care.
    region: region ?? 'us-east-1',
    // Wildcard names for buckets are the exception among servers that are not Amazon's.
    addressing: addressing ?? (endpoint === undefined ? 'virtual' : 'path'),
    credentials: credentials && revealed(credentials),
    caFile,
    verifyTls: verifySsl,
    maxConnections: maxConcurrency,
    partRetry,
  })
  return { store: s3, close: () => s3[Symbol.dispose]() }
}

function revealed({ accessKey, secretKey, sessionToken }: Credentials): S3StoreOptions['credentials'] {
  return {
    accessKeyId: accessKey.reveal(),
    secretAccessKey: secretKey.reveal(),
    ...(sessionToken && { sessionToken: sessionToken.reveal() }),
  }
}

import type { Abortable } from '../base/abort.ts'
import type { Logger } from '../base/log.ts'
import { DirectoryStore } from '../store/directory-store.ts'
import type { ObjectReader, ObjectStore, WriteGuard } from '../store/object-store.ts'
import { readOnly } from '../store/read-only.ts'
import { type S3StoreOptions, s3Defaults } from '../store/s3-options.ts'
import { probeS3, type S3Probe } from '../store/s3-probe.ts'
import { S3Store } from '../store/s3-store.ts'
import { withConcurrency } from '../store/with-concurrency.ts'
import { createMetrics, type StoreMetrics, withMetrics } from '../store/with-metrics.ts'
import { defaultRetryPolicy, type RetryPolicy, withRetry } from '../store/with-retry.ts'
import type { Credentials } from './credentials.ts'
import { adviceFor } from './diagnosis/advice.ts'
import { fencedStore } from './fenced-store.ts'
import { Lease, type LeaseOptions, refuseOthers } from './lease.ts'
import type { Owner } from './owner-record.ts'
import { OwnerFile } from './ownership.ts'
import type { Destination, S3Destination } from './parse-destination.ts'
import { refuseReadOnly } from './refuse-read-only.ts'
import { takeoverCommandLine } from './takeover-command-line.ts'
import { trialStore } from './trial-store.ts'

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

export interface AcquireOptions extends OpenOptions, Abortable {
  /** This server, for others who find its lease. */
  readonly owner: Owner
  /** Name and version of the program, likewise. */
  readonly program: string
  /** As `LeaseOptions` has it. */
  readonly onWait?: LeaseOptions['onWait']
  /** Seconds for which a renewal of the lease is good; see `leaseDefaults`. */
  readonly leaseSeconds?: number | undefined
}

/** Dispose to give the lease back and close all connections. */
export interface AcquiredDestination extends AsyncDisposable {
  /** Writes only while the lease holds; then each write rejects with `lease-lost`. */
  readonly store: ObjectStore
  /** Aborts when it is lost. */
  readonly lease: Lease
  /** For messages: `s3://bucket/path` or a folder. */
  readonly description: string
}

/** Opens a destination for reading: nothing that is made of the result can write. Sends no request yet. */
export function openDestination(destination: Destination, options: OpenOptions): OpenDestination {
  const { store, close } = open(destination, options)
  const reader = readOnly(patiently(store, destination, options))
  return { reader, description: store.description, [Symbol.dispose]: close }
}

/**
 * Opens a destination for writing: takes its lease, which keeps every other writer out, and makes the directory this server's if it is nobody's. Nothing else hands out a store
 * that can write. Rejects with `read-only-destination`, `owned`, `in-use`, `bad-owner` or a `StoreError`.
 */
export async function acquireDestination(
  destination: Destination,
  options: AcquireOptions,
): Promise<AcquiredDestination> {
  refuseReadOnly(destination)
  await using opening = new AsyncDisposableStack()
  const { file, description, [Symbol.dispose]: closeOwnerFile } = openOwnerFile(destination, options)
  opening.defer(closeOwnerFile)
  const { logger, owner, program, onWait, leaseSeconds, signal } = options
  const takeover = takeoverCommandLine(destination)
  const lease = opening.use(
    await Lease.acquire(
      { file, owner, program, seconds: leaseSeconds, description, takeover, logger, onWait },
      { signal },
    ),
  )
  const { store, close } = open(destination, options, { guard: () => lease.check() })
  opening.defer(close)
  const opened = opening.move()
  return {
    store: patiently(fencedStore(store, lease), destination, options),
    lease,
    description,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Rejects as `acquireDestination` would now if somebody else owns the destination or is writing to it, and takes nothing: `owned`, `in-use`, `bad-owner` or a `StoreError`. */
export async function refuseOtherWriters(
  destination: Destination,
  options: Omit<AcquireOptions, 'program' | 'onWait' | 'leaseSeconds'>,
): Promise<void> {
  using opened = openOwnerFile(destination, options)
  const { file, description } = opened
  const takeover = takeoverCommandLine(destination)
  await refuseOthers({ file, owner: options.owner, description, takeover }, options)
}

/** Dispose to close its connections. */
export interface OpenOwnerFile extends Disposable {
  readonly file: OwnerFile
  /** For messages: `s3://bucket/path` or a folder. */
  readonly description: string
}

/** Over connections of its own: a renewal must not stand behind uploads. */
export function openOwnerFile(destination: Destination, options: OpenOptions): OpenOwnerFile {
  const { store, close } = open(destination, options)
  const file = new OwnerFile(patiently(store, destination, options))
  return { file, description: store.description, [Symbol.dispose]: close }
}

/** Dispose to close its connections. */
export interface OpenTrial extends Disposable {
  readonly store: ObjectStore
}

/** For who looks whether a destination can be used, as whoever owns it: writes nothing but a `trialKey`, and tries nothing twice. */
export function openForTrial(destination: Destination, options: OpenOptions): OpenTrial {
  const { store, close } = open(destination, options, { isAdvised: false })
  return { store: trialStore(store), [Symbol.dispose]: close }
}

/** What the server of a destination tells without keys. Rejects with a `StoreError`. */
export function probeDestination(
  destination: S3Destination,
  { logger, signal }: OpenOptions & Abortable,
): Promise<S3Probe> {
  return probeS3(s3OptionsOf(destination, logger), { signal })
}

interface Opened {
  readonly store: ObjectStore
  readonly close: () => void
}

interface OpenedAs {
  readonly guard?: WriteGuard
  /** Whether the messages of errors say what to do; a diagnosis says it itself. */
  readonly isAdvised?: boolean
}

function open(
  destination: Destination,
  { logger, metrics }: OpenOptions,
  { guard, isAdvised = true }: OpenedAs = {},
): Opened {
  if (destination.kind === 'directory')
    return { store: new DirectoryStore(destination.path, { logger, guard }), close: () => {} }
  const advise = isAdvised ? adviceFor(destination) : undefined
  const partRetry = { policy: policyOf(destination), metrics }
  return openS3(destination, logger, { guard, advise, partRetry })
}

/** A request waits for its turn at each try, so that one that pauses before the next try holds up no other. */
function patiently(
  store: ObjectStore,
  destination: Destination,
  { metrics = createMetrics() }: OpenOptions,
): ObjectStore {
  const counted = withMetrics(store, metrics)
  const bounded = withConcurrency(counted, destination.store.maxConcurrency)
  return withRetry(bounded, policyOf(destination), metrics)
}

function policyOf({ store }: Destination): RetryPolicy {
  return { ...defaultRetryPolicy, retries: store.httpRetries }
}

function openS3(
  destination: S3Destination,
  logger: Logger,
  more: Pick<S3StoreOptions, 'guard' | 'advise' | 'partRetry'>,
): Opened {
  const s3 = new S3Store({ ...s3OptionsOf(destination, logger), ...more })
  return { store: s3, close: () => s3[Symbol.dispose]() }
}

/** How to reach the destination, with its keys in the clear. */
export function s3OptionsOf({ bucket, prefix, store }: S3Destination, logger: Logger): S3StoreOptions {
  const { endpoint, region, addressing, credentials, caFile, verifySsl, maxConcurrency } = store
  if (!verifySsl) logger.warn({ bucket }, "the server's certificate is not checked")
  return {
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
  }
}

function revealed({ accessKey, secretKey, sessionToken }: Credentials): S3StoreOptions['credentials'] {
  return {
    accessKeyId: accessKey.reveal(),
    secretAccessKey: secretKey.reveal(),
    ...(sessionToken && { sessionToken: sessionToken.reveal() }),
  }
}

import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { Abortable } from '../base/abort.ts'
import { Semaphore } from '../base/semaphore.ts'
import { StoreError } from './errors.ts'
import { readSource } from './file-source.ts'
import { NotPlain } from './lean-connection.ts'
import type { LeanGet } from './lean-get.ts'
import {
  type ByteRange,
  type FileSource,
  type GetOptions,
  type ListOptions,
  type ListPage,
  type ObjectBody,
  type ObjectKey,
  type ObjectMetadata,
  type ObjectStore,
  type ObjectStream,
  objectKey,
  type PutBody,
  type PutOptions,
} from './object-store.ts'
import { s3Error } from './s3-errors.ts'
import { leanGetOf } from './s3-lean.ts'
import { authorities, type S3StoreOptions } from './s3-options.ts'

/** Objects above it go up in parts. */
const multipartThreshold = 16 << 20
/** S3's limits: at most 10,000 parts, each but the last at least 5 MiB. */
const largestPartCount = 10_000
const partConcurrency = 4
/** DeleteObjects takes so many. */
const deleteBatch = 1000

/** An object store in an S3 bucket, below a prefix. */
export class S3Store implements ObjectStore {
  readonly description: string
  readonly #client: S3Client
  readonly #bucket: string
  readonly #prefix: string
  readonly #lean: LeanGet | undefined

  constructor(options: S3StoreOptions) {
    this.#bucket = options.bucket
    this.#prefix = options.prefix
    this.description = `s3://${options.bucket}/${options.prefix}`.replace(/\/$/, '')
    this.#lean = leanGetOf(options, () => this.#client.config.credentials())
    const agentOptions = { keepAlive: true, maxSockets: options.maxConnections }
    this.#client = new S3Client({
      region: options.region,
      forcePathStyle: options.addressing === 'path',
      // Trying again is withRetry's, which knows what was asked.
      maxAttempts: 1,
      // Checksum trailers break servers that only speak older S3; our objects carry their own SHA-256.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
      ...(options.credentials !== undefined && { credentials: options.credentials }),
      requestHandler: {
        httpAgent: new HttpAgent(agentOptions),
        httpsAgent: new HttpsAgent({
          ...agentOptions,
          rejectUnauthorized: options.verifyTls,
          ...authorities(options),
        }),
        connectionTimeout: options.connectTimeout,
        requestTimeout: options.responseTimeout,
        socketTimeout: options.responseTimeout,
        throwOnRequestTimeout: true,
        // Our own bound on requests makes waiting for a socket an ordinary thing.
        socketAcquisitionWarningTimeout: 3_600_000,
      },
    })
  }

  async get(key: ObjectKey, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    const lean = await this.#leanGet(key, options)
    if (lean !== undefined) return lean
    const found = await this.getStream(key, options)
    if (found === undefined) return undefined
    const { body, ...metadata } = found
    const pieces: Buffer[] = []
    for await (const piece of body) pieces.push(piece)
    return { ...metadata, bytes: pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces) }
  }

  async getStream(
    key: ObjectKey,
    { range, ifMatch, signal }: GetOptions = {},
  ): Promise<ObjectStream | undefined> {
    let output: GetObjectCommandOutput
    try {
      output = await this.#client.send(
        new GetObjectCommand({
          ...this.#at(key),
          ...(range && { Range: rangeHeader(range) }),
          ...(ifMatch !== undefined && { IfMatch: ifMatch }),
        }),
        abortable(signal),
      )
    } catch (error) {
      if (isMissing(error)) return undefined
      throw this.#failed(error, key, signal)
    }
    const length = output.ContentLength ?? 0
    // A server that ignores ranges would fill the cache with the wrong bytes.
    const total = range === undefined ? length : totalOf(output.ContentRange)
    if (total === undefined)
      throw new StoreError('invalid', `${this.description}: ${key}: the server does not understand ranges`)
    return {
      ...metadataOf(key, total, output.ETag, output.LastModified),
      body: this.#exactly(output.Body as Readable, length, key, signal),
    }
  }

  async head(key: ObjectKey, { signal }: Abortable = {}): Promise<ObjectMetadata | undefined> {
    try {
      const output = await this.#client.send(new HeadObjectCommand(this.#at(key)), abortable(signal))
      return metadataOf(key, output.ContentLength, output.ETag, output.LastModified)
    } catch (error) {
      if (!isMissing(error)) throw this.#failed(error, key, signal)
      return undefined
    }
  }

  async *list(prefix: string, { delimiter, signal }: ListOptions = {}): AsyncIterable<ListPage> {
    let token: string | undefined
    do {
      const output = await this.#client
        .send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#prefix + prefix,
            ...(delimiter && { Delimiter: delimiter }),
            ...(token && { ContinuationToken: token }),
          }),
          abortable(signal),
        )
        .catch((error: unknown) => {
          throw this.#failed(error, prefix || 'its listing', signal)
        })
      yield {
        objects: (output.Contents ?? []).map(({ Key, Size, ETag, LastModified }) =>
          metadataOf(this.#below(Key), Size, ETag, LastModified),
        ),
        prefixes: (output.CommonPrefixes ?? []).map(({ Prefix }) => this.#below(Prefix)),
      }
      token = output.IsTruncated ? output.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  async put(key: ObjectKey, body: PutBody, options: PutOptions = {}): Promise<ObjectMetadata> {
    const size = Buffer.isBuffer(body)
      ? body.length
      : body.ranges.reduce((sum, { length }) => sum + length, 0)
    try {
      const etag =
        size > multipartThreshold
          ? await this.#putParts(key, body, size, options)
          : await this.#putWhole(
              key,
              Buffer.isBuffer(body) ? body : await readAll(body, options.signal),
              options,
            )
      return { key, size, etag, modified: Date.now() }
    } catch (error) {
      const failure = this.#failed(error, key, options.signal)
      if (failure instanceof StoreError && failure.code === 'changed' && options.ifNoneMatch !== undefined)
        throw new StoreError('exists', `${this.description}: ${key} exists already`, { cause: error })
      throw failure
    }
  }

  async delete(keys: readonly ObjectKey[], { signal }: Abortable = {}): Promise<void> {
    for (let first = 0; first < keys.length; first += deleteBatch) {
      const batch = keys.slice(first, first + deleteBatch)
      try {
        const output = await this.#client.send(
          new DeleteObjectsCommand({
            Bucket: this.#bucket,
            Delete: { Objects: batch.map((key) => ({ Key: this.#prefix + key })), Quiet: true },
          }),
          abortable(signal),
        )
        const [failed] = output.Errors ?? []
        if (failed !== undefined)
          throw Object.assign(new Error(failed.Message), { name: failed.Code ?? 'Error' })
      } catch (error) {
        throw this.#failed(error, batch[0] as string, signal)
      }
    }
  }

  /** Closes the kept connections. */
  [Symbol.dispose](): void {
    this.#client.destroy()
    this.#lean?.close()
  }

  /** undefined: it has to be asked in the ordinary way. */
  async #leanGet(
    key: ObjectKey,
    { range, ifMatch, into, signal }: GetOptions,
  ): Promise<ObjectBody | undefined> {
    if (this.#lean === undefined) return undefined
    const headers: Record<string, string> = {
      ...(range && { range: rangeHeader(range) }),
      ...(ifMatch !== undefined && { 'if-match': ifMatch }),
    }
    try {
      const answer = await this.#lean.get(this.#prefix + key, headers, { into, signal })
      const { status, headers: answered, bytes } = answer
      const total = status === 206 ? totalOf(answered.get('content-range')) : bytes.length
      if (total === undefined || (range !== undefined && status !== 206)) return undefined
      const modified = Date.parse(answered.get('last-modified') ?? '')
      return { key, size: total, etag: answered.get('etag') ?? '', modified: modified || 0, bytes }
    } catch (error) {
      if (error instanceof NotPlain) return undefined
      throw this.#failed(error, key, signal)
    }
  }

  async #putWhole(key: ObjectKey, bytes: Buffer, { signal, ...conditions }: PutOptions): Promise<string> {
    const output = await this.#client.send(
      new PutObjectCommand({ ...this.#at(key), Body: bytes, ...conditionsOf(conditions) }),
      abortable(signal),
    )
    return output.ETag ?? ''
  }

  async #putParts(
    key: ObjectKey,
    body: PutBody,
    size: number,
    { signal, ...conditions }: PutOptions,
  ): Promise<string> {
    const { UploadId } = await this.#client.send(
      new CreateMultipartUploadCommand(this.#at(key)),
      abortable(signal),
    )
    const upload = { ...this.#at(key), UploadId }
    const failure = new AbortController()
    const onAbort = (): void => failure.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      signal?.throwIfAborted()
      const places = new Semaphore(partConcurrency)
      const parts: Promise<{ ETag: string | undefined; PartNumber: number }>[] = []
      for await (const bytes of partsOf(body, partSizeOf(size), failure.signal)) {
        const place = await places.acquire({ signal: failure.signal })
        const PartNumber = parts.length + 1
        const part = this.#client
          .send(new UploadPartCommand({ ...upload, PartNumber, Body: bytes }), {
            abortSignal: failure.signal,
          })
          .then(({ ETag }) => ({ ETag, PartNumber }))
          .finally(() => place[Symbol.dispose]())
        part.catch((error: unknown) => failure.abort(error))
        parts.push(part)
      }
      const output = await this.#client.send(
        new CompleteMultipartUploadCommand({
          ...upload,
          MultipartUpload: { Parts: await Promise.all(parts) },
          ...conditionsOf(conditions),
        }),
        abortable(signal),
      )
      return output.ETag ?? ''
    } catch (error) {
      // Parts that nobody completes are stored, and paid for, until they are aborted. Not bound to the caller's signal.
      await this.#client.send(new AbortMultipartUploadCommand(upload)).catch(() => {})
      throw failure.signal.aborted && !signal?.aborted ? failure.signal.reason : error
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async *#exactly(
    body: Readable,
    length: number,
    key: ObjectKey,
    signal: AbortSignal | undefined,
  ): AsyncIterable<Buffer> {
    let received = 0
    // The SDK's signal ends with the head of the answer.
    const onAbort = (): void => void body.destroy(signal?.reason)
    if (signal?.aborted) onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      for await (const piece of body) {
        received += piece.length
        yield piece
      }
    } catch (error) {
      throw this.#failed(error, key, signal)
    } finally {
      signal?.removeEventListener('abort', onAbort)
      body.destroy()
    }
    if (received !== length)
      throw new StoreError(
        'unavailable',
        `${this.description}: ${key}: the answer broke off after ${received} of ${length} bytes`,
      )
  }

  #at(key: ObjectKey): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key }
  }

  #below(key: string | undefined): ObjectKey {
    return objectKey((key ?? '').slice(this.#prefix.length))
  }

  #failed(error: unknown, what: string, signal: AbortSignal | undefined): unknown {
    return signal?.aborted ? signal.reason : s3Error(error, this.description, what)
  }
}

function rangeHeader({ offset, length }: ByteRange): string {
  return `bytes=${offset}-${offset + length - 1}`
}

function abortable(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal }
}

function isMissing(error: unknown): boolean {
  const { name } = error as Error
  return name === 'NoSuchKey' || name === 'NotFound'
}

function totalOf(contentRange: string | undefined): number | undefined {
  const total = /\/(\d+)$/.exec(contentRange ?? '')?.[1]
  return total === undefined ? undefined : Number(total)
}

function metadataOf(
  key: ObjectKey,
  size: number | undefined,
  etag: string | undefined,
  modified: Date | undefined,
): ObjectMetadata {
  return { key, size: size ?? 0, etag: etag ?? '', modified: modified?.getTime() ?? 0 }
}

function conditionsOf({ ifNoneMatch, ifMatch }: PutOptions): { IfNoneMatch?: string; IfMatch?: string } {
  return {
    ...(ifNoneMatch !== undefined && { IfNoneMatch: ifNoneMatch }),
    ...(ifMatch !== undefined && { IfMatch: ifMatch }),
  }
}

function partSizeOf(size: number): number {
  return Math.max(multipartThreshold, Math.ceil(size / largestPartCount))
}

async function readAll(source: FileSource, signal: AbortSignal | undefined): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of readSource(source, signal)) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

/** Parts of `partSize` bytes, the last one shorter; each is the caller's to keep. */
async function* partsOf(body: PutBody, partSize: number, signal: AbortSignal): AsyncIterable<Buffer> {
  if (Buffer.isBuffer(body)) {
    for (let at = 0; at < body.length; at += partSize) yield body.subarray(at, at + partSize)
    return
  }
  let part = Buffer.allocUnsafeSlow(partSize)
  let filled = 0
  for await (const piece of readSource(body, signal)) {
    for (let at = 0; at < piece.length; ) {
      const copied = piece.copy(part, filled, at)
      at += copied
      filled += copied
      if (filled < partSize) continue
      yield part
      part = Buffer.allocUnsafeSlow(partSize)
      filled = 0
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
}

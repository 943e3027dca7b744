import type { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3'
import type { Abortable } from '../base/abort.ts'
import { batchesOf } from '../base/batches.ts'
import { JbfsError } from '../base/errors.ts'
import { Semaphore } from '../base/semaphore.ts'
import { answerDate, recordDate } from './answer-date.ts'
import { StoreError } from './errors.ts'
import type { LeanClient } from './lean-client.ts'
import { NotPlain } from './lean-connection.ts'
import { listedKey } from './listed-key.ts'
import {
  type ByteRange,
  type GetOptions,
  isBehind,
  type ListOptions,
  type ListPage,
  type ObjectBody,
  type ObjectKey,
  type ObjectMetadata,
  type ObjectStore,
  type ObjectStream,
  objectKey,
  type PartStore,
  type PutBody,
  type PutOptions,
} from './object-store.ts'
import { bucketOf, descriptionOf } from './s3-client.ts'
import { s3Error } from './s3-errors.ts'
import { leanClientOf } from './s3-lean.ts'
import type { S3StoreOptions } from './s3-options.ts'
import { s3PartStore } from './s3-part-store.ts'
import { proxyOf } from './s3-proxy.ts'
import { S3Requests } from './s3-requests.ts'
import { trustOf } from './s3-trust.ts'
import { sizeOf, upload, uploadMemory } from './s3-upload.ts'

/** DeleteObjects takes so many. */
const deleteBatch = 1000

/** An object store in an S3 bucket, below a prefix. */
export class S3Store implements ObjectStore {
  readonly description: string
  readonly parts: PartStore
  readonly #options: S3StoreOptions
  /** As commands give it. */
  readonly #bucket: string
  readonly #requests: S3Requests
  /** For what is got, and for what is put; undefined: a proxy stands between, which they do not know of. */
  readonly #lean: LeanClient | undefined
  readonly #leanPut: LeanClient | undefined
  readonly #uploadMemory = new Semaphore(uploadMemory)
  /** Whether the bucket is known to exist, so that what is missing is only a key. */
  #hasBucket = false

  constructor(options: S3StoreOptions) {
    this.#options = options
    this.#bucket = bucketOf(options)
    this.description = descriptionOf(options)
    const trust = trustOf(options)
    this.#requests = new S3Requests(options, trust)
    this.parts = s3PartStore({
      description: this.description,
      requests: this.#requests,
      at: (key) => this.#at(key),
      head: (key, given) => this.head(key, given),
      failed: (error, key, signal) => this.#failed(error, key, signal),
    })
    if (proxyOf(options) === undefined) {
      const places = new Semaphore(options.maxConnections)
      this.#lean = leanClientOf(options, trust, this.#requests, { places })
      const { guard } = options
      this.#leanPut = leanClientOf(options, trust, this.#requests, { places: this.#requests.places, guard })
    }
  }

  async get(key: ObjectKey, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    try {
      if (this.#lean !== undefined) return await this.#leanGet(this.#lean, key, options)
    } catch (error) {
      if (isMissing(error)) return undefined
      if (!(error instanceof NotPlain)) throw this.#failed(error, key, options.signal)
    }
    const found = await this.getStream(key, options)
    if (found === undefined) return undefined
    const { body, ...metadata } = found
    return { ...metadata, bytes: Buffer.concat(await Array.fromAsync(body)) }
  }

  async getStream(
    key: ObjectKey,
    { range, ifMatch, signal }: GetOptions = {},
  ): Promise<ObjectStream | undefined> {
    const command = new GetObjectCommand({
      ...this.#at(key),
      ...(range && { Range: rangeHeader(range) }),
      ...(ifMatch !== undefined && { IfMatch: ifMatch }),
    })
    const date = recordDate(command)
    let output: GetObjectCommandOutput
    try {
      output = await this.#requests.send(command, { signal })
    } catch (error) {
      if (isMissing(error)) return undefined
      throw this.#failed(error, key, signal)
    }
    const body = output.Body as Readable
    const part = partOf(output, range)
    if (part === undefined) {
      body.destroy()
      const fault = range === undefined ? 'does not say how long it is' : 'does not understand ranges'
      throw new StoreError('invalid', `${this.description}: ${key}: the server ${fault}`)
    }
    return {
      ...metadataOf(key, part.size, output.ETag, output.LastModified),
      ...date,
      body: this.#exactly(body, part.length, key, signal),
    }
  }

  async head(key: ObjectKey, { signal }: Abortable = {}): Promise<ObjectMetadata | undefined> {
    try {
      const output = await this.#requests.send(new HeadObjectCommand(this.#at(key)), { signal })
      return metadataOf(key, output.ContentLength, output.ETag, output.LastModified)
    } catch (error) {
      if (!isMissing(error)) throw this.#failed(error, key, signal)
      await this.#checkBucket(signal)
      return undefined
    }
  }

  async *list(prefix: string, { delimiter, after, signal }: ListOptions = {}): AsyncIterable<ListPage> {
    const isWanted = (name: string): boolean => after === undefined || isBehind(name, after)
    let token: string | undefined
    do {
      const output = await this.#requests
        .send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#options.prefix + prefix,
            // Keys may hold what XML cannot.
            EncodingType: 'url',
            ...(delimiter && { Delimiter: delimiter }),
            ...(after !== undefined && { StartAfter: this.#options.prefix + after }),
            ...(token && { ContinuationToken: token }),
          }),
          { signal },
        )
        .catch((error: unknown) => {
          throw this.#failed(error, prefix || 'its listing', signal)
        })
      this.#hasBucket = true
      const below = (key = ''): ObjectKey[] => {
        const text = listedKey(key, output.EncodingType)
        return text === undefined ? [] : [this.#below(text)].filter(isWanted)
      }
      yield {
        objects: (output.Contents ?? []).flatMap(({ Key, Size, ETag, LastModified }) =>
          below(Key).map((key) => metadataOf(key, Size, ETag, LastModified)),
        ),
        prefixes: (output.CommonPrefixes ?? []).flatMap(({ Prefix }) => below(Prefix)),
      }
      token = output.IsTruncated ? output.NextContinuationToken : undefined
      if (output.IsTruncated && token === undefined)
        throw new StoreError('invalid', `${this.description}: the server does not say how a listing goes on`)
    } while (token !== undefined)
  }

  async put(key: ObjectKey, body: PutBody, options: PutOptions = {}): Promise<ObjectMetadata> {
    const failed = (error: unknown): unknown =>
      options.ifMatch !== undefined && isMissing(error)
        ? new StoreError('changed', `${this.description}: ${key}: it is no longer there`, { cause: error })
        : this.#failed(error, key, options.signal)
    try {
      const way = {
        requests: this.#requests,
        lean: this.#leanPut,
        memory: this.#uploadMemory,
        partRetry: this.#options.partRetry,
        failed,
      }
      const etag = await upload(way, this.#at(key), body, options)
      return { key, size: sizeOf(body), etag, modified: Date.now() }
    } catch (error) {
      if (error instanceof StoreError && error.code === 'changed' && options.ifNoneMatch !== undefined)
        throw new StoreError('exists', `${this.description}: ${key} exists already`, { cause: error })
      throw error
    }
  }

  async delete(keys: readonly ObjectKey[], { signal }: Abortable = {}): Promise<void> {
    for (const batch of batchesOf(keys, deleteBatch)) {
      try {
        await this.#deleteBatch(batch, { signal })
      } catch (error) {
        const failure = this.#failed(error, batch[0] as string, signal)
        // Not all servers know the request, and XML does not know all keys.
        if (!(failure instanceof StoreError && ['invalid', 'unsupported'].includes(failure.code)))
          throw failure
        await Promise.all(batch.map((key) => this.#deleteOne(key, { signal })))
      }
    }
  }

  /** Closes all connections; what is under way fails. */
  [Symbol.dispose](): void {
    this.#requests[Symbol.dispose]()
    this.#lean?.close()
    this.#leanPut?.close()
  }

  async #leanGet(
    lean: LeanClient,
    key: ObjectKey,
    { range, ifMatch, into, signal }: GetOptions,
  ): Promise<ObjectBody> {
    const headers: Record<string, string> = {
      ...(range && { range: rangeHeader(range) }),
      ...(ifMatch !== undefined && { 'if-match': ifMatch }),
    }
    const { headers: answered, bytes } = await lean.get(this.#options.prefix + key, headers, {
      rangeLength: range?.length,
      into,
      signal,
    })
    const part = partOf({ ContentRange: answered.get('content-range'), ContentLength: bytes.length }, range)
    if (part === undefined) throw new NotPlain('not what was asked for')
    const modified = Date.parse(answered.get('last-modified') ?? '')
    return {
      key,
      size: part.size,
      etag: answered.get('etag') ?? '',
      modified: modified || 0,
      bytes,
      ...answerDate(answered.get('date')),
    }
  }

  /** A HEAD has no body that would say whether its key is missing, or the bucket. Whoever may not list learns no more. */
  async #checkBucket(signal: AbortSignal | undefined): Promise<void> {
    if (this.#hasBucket) return
    const { prefix } = this.#options
    try {
      await this.#requests.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, MaxKeys: 1 }),
        { signal },
      )
    } catch (error) {
      if ((error as Error).name !== 'AccessDenied') throw this.#failed(error, 'the bucket', signal)
    }
    this.#hasBucket = true
  }

  async #deleteBatch(keys: readonly ObjectKey[], options: Abortable): Promise<void> {
    const output = await this.#requests.send(
      new DeleteObjectsCommand({
        Bucket: this.#bucket,
        Delete: { Objects: keys.map((key) => ({ Key: this.#options.prefix + key })), Quiet: true },
      }),
      options,
    )
    const failed = output.Errors?.find(({ Code }) => Code !== 'NoSuchKey')
    if (failed !== undefined)
      throw Object.assign(new Error(failed.Message), { name: failed.Code ?? 'InternalError' })
  }

  async #deleteOne(key: ObjectKey, options: Abortable): Promise<void> {
    try {
      await this.#requests.send(new DeleteObjectCommand(this.#at(key)), options)
    } catch (error) {
      if (!isMissing(error)) throw this.#failed(error, key, options.signal)
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
        if (received > length) break
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
        `${this.description}: ${key}: the answer has ${received} bytes instead of ${length}`,
      )
  }

  #at(key: ObjectKey): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#options.prefix + key }
  }

  #below(key: string): ObjectKey {
    return objectKey(key.slice(this.#options.prefix.length))
  }

  #failed(error: unknown, what: string, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted) return signal.reason
    // The guard's, which no server has answered.
    if (error instanceof JbfsError) return error
    const { advise } = this.#options
    return s3Error(error, { store: this.description, server: this.#requests.server, advise }, what)
  }
}

function rangeHeader({ offset, length }: ByteRange): string {
  return `bytes=${offset}-${offset + length - 1}`
}

function isMissing(error: unknown): boolean {
  const { name } = error as Error
  return name === 'NoSuchKey' || name === 'NotFound'
}

/** The size of an object, and how much of it comes; undefined unless that is what was asked for, cut at its end. */
function partOf(
  { ContentRange, ContentLength }: Pick<GetObjectCommandOutput, 'ContentRange' | 'ContentLength'>,
  range: ByteRange | undefined,
): { size: number; length: number } | undefined {
  if (range === undefined)
    return ContentLength === undefined ? undefined : { size: ContentLength, length: ContentLength }
  const [, first, last, size] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(ContentRange ?? '') ?? []).map(Number)
  if (first !== range.offset || last === undefined || size === undefined) return undefined
  const length = last - first + 1
  const isAsked = last === Math.min(first + range.length, size) - 1
  // A chunked answer has no length of its own.
  return isAsked && (ContentLength ?? length) === length ? { size, length } : undefined
}

function metadataOf(
  key: ObjectKey,
  size: number | undefined,
  etag: string | undefined,
  modified: Date | undefined,
): ObjectMetadata {
  return { key, size: size ?? 0, etag: etag ?? '', modified: modified?.getTime() ?? 0 }
}

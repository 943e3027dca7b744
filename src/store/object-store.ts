import type { Abortable } from '../base/abort.ts'
import type { Brand } from '../base/brand.ts'

/**
 * The contract of an object store: bytes under keys, as S3 has them. Implemented by `S3Store` and `DirectoryStore`,
 * wrapped by `withRetry`, `withConcurrency` and `withMetrics`; all pass `test/conformance/object-store.ts`.
 *
 * Any method may be called any number of times concurrently. A missing key is a value (`undefined`); everything else
 * that goes wrong rejects with a `StoreError`, except an abort, which rejects with the signal's reason. Buffers that are
 * returned belong to the caller; buffers that are passed in must not change until the promise settles.
 */

/** A key below the store's root: `/`-separated, no leading slash. May be empty only as a listing prefix. */
export type ObjectKey = Brand<string, 'ObjectKey'>

export function objectKey(key: string): ObjectKey {
  return key as ObjectKey
}

export interface ObjectMetadata {
  readonly key: ObjectKey
  /** Bytes. */
  readonly size: number
  /** Opaque version of the content; equal etags mean equal bytes. Taken with its quotes, as S3 sends it. */
  readonly etag: string
  /** Epoch milliseconds, by the store's clock. */
  readonly modified: number
}

/** Bytes `offset` … `offset + length - 1`. `length` is at least 1. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

export interface GetOptions extends Abortable {
  readonly range?: ByteRange | undefined
  /** Fail with `changed` unless the object still has this etag. */
  readonly ifMatch?: string | undefined
  /**
   * Where the bytes may be put, from its start on, if they fit: `bytes` of the answer then lies in it. A store need not. It is
   * the store's until the promise settles, and no longer.
   */
  readonly into?: Buffer | undefined
}

/** An object as a get found it. */
interface FoundObject extends ObjectMetadata {
  /** When the store answered, epoch milliseconds by its own clock, as far as it tells: so that `modified` can be compared with something. */
  readonly answered?: number | undefined
}

export interface ObjectBody extends FoundObject {
  /** What was asked for: the range cut at the end of the object, or all of it. */
  readonly bytes: Buffer
}

export interface ListOptions extends Abortable {
  /** Keys that contain it behind the prefix are rolled up into `prefixes`, as S3 does. */
  readonly delimiter?: '/' | undefined
  /** Only what stands behind it in the listing: the last key, or rolled-up prefix, of an earlier one that is to go on. */
  readonly after?: string | undefined
}

/** One page of a listing, at most 1,000 entries, keys and prefixes each in UTF-8 byte order. */
export interface ListPage {
  readonly objects: readonly ObjectMetadata[]
  /** Rolled-up prefixes, each ending in the delimiter. */
  readonly prefixes: readonly string[]
}

/** Whether `name` comes behind `other` in a listing: by the bytes of their UTF-8. */
export function isBehind(name: string, other: string): boolean {
  return Buffer.compare(Buffer.from(name), Buffer.from(other)) > 0
}

export interface ObjectReader {
  /** For messages: `s3://bucket/path` or a folder. Never a secret. */
  readonly description: string
  /** The bytes of an object or of a range of it, whole and exactly as long as the store said, or a `StoreError`. */
  get(key: ObjectKey, options?: GetOptions): Promise<ObjectBody | undefined>
  /**
   * As `get`, in pieces, for objects that should not be held in memory; `into` is not for it. The body is read to its end or left early by whoever
   * asked for it, because a connection or a file stays open until then. Retries are the caller's.
   */
  getStream(key: ObjectKey, options?: GetOptions): Promise<ObjectStream | undefined>
  head(key: ObjectKey, options?: Abortable): Promise<ObjectMetadata | undefined>
  /** All that starts with `prefix`, page by page; a missing prefix is an empty listing. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ListPage>
}

export interface ObjectStream extends FoundObject {
  readonly body: AsyncIterable<Buffer>
}

/** Given to a store when it is opened: called immediately before each step that changes something there. What it throws ends the write. */
export type WriteGuard = () => void

export interface PutOptions extends Abortable {
  /** `*`: only if there is no such object (S3 If-None-Match). Otherwise rejects with `exists`. */
  readonly ifNoneMatch?: '*' | undefined
  /** Only if the object has this etag (S3 If-Match). Otherwise rejects with `changed`. */
  readonly ifMatch?: string | undefined
  /** Of a body in memory, where it is known: a store that compares it refuses other bytes. */
  readonly sha256?: Buffer | undefined
}

/** What is stored: bytes in memory, or a part of a local file that does not change meanwhile. */
export type PutBody = Buffer | FileSource

/** Parts of a local file, one after another: how a file with holes is stored without them. */
export interface FileSource {
  readonly path: string | Buffer
  readonly ranges: readonly ByteRange[]
}

/** What `begin` has begun, for whoever goes on with it, in another process too. */
export type UploadToken = Brand<string, 'UploadToken'>

export interface UploadPart {
  /** From 1, at most `largestPartCount`. Sent once more, it takes the place of the one before. */
  readonly number: number
  /** Of its first byte in the object. */
  readonly offset: number
  /** At least `smallestPart` bytes, unless it is the last one. */
  readonly bytes: Buffer
  /** Takes that of the bytes, as in `PutOptions`, for a store that compares it. undefined: it cannot be had just now. */
  readonly sha256?: (() => Promise<Buffer | undefined>) | undefined
}

/** S3's limits for the parts of an object: bytes of all but the last, and how many there are. */
export const smallestPart = 5 << 20
export const largestPartCount = 10_000

export interface WholeUpload extends Abortable {
  /** Of all parts together. */
  readonly size: number
}

/**
 * Objects whose bytes come bit by bit, while nobody can see them. Parts may be sent in any order, and concurrently. Who goes on with an upload whose
 * parts are gone is told so by `changed`.
 */
export interface PartStore {
  begin(key: ObjectKey, options?: Abortable): Promise<UploadToken>
  /** Resolves with what `complete` asks for when the part is kept, whatever becomes of this process or its machine. */
  put(key: ObjectKey, upload: UploadToken, part: UploadPart, options?: Abortable): Promise<string>
  /** The object is there, whole. `parts`: what `put` has resolved with, in the order of their numbers. May be repeated. */
  complete(
    key: ObjectKey,
    upload: UploadToken,
    parts: readonly string[],
    options: WholeUpload,
  ): Promise<ObjectMetadata>
  /** The parts go; what is gone already is no error. */
  abandon(key: ObjectKey, upload: UploadToken, options?: Abortable): Promise<void>
}

/** The same, each request by way of `through`. */
export function eachPartRequest(
  parts: PartStore,
  through: <T, O extends Abortable>(request: (options: O) => Promise<T>, options: O) => Promise<T>,
): PartStore {
  return {
    begin: (key, options = {}) => through((given) => parts.begin(key, given), options),
    put: (key, upload, part, options = {}) =>
      through((given) => parts.put(key, upload, part, given), options),
    complete: (key, upload, sent, options) =>
      through((given) => parts.complete(key, upload, sent, given), options),
    abandon: (key, upload, options = {}) => through((given) => parts.abandon(key, upload, given), options),
  }
}

export interface ObjectStore extends ObjectReader {
  readonly parts: PartStore
  /** Stores all bytes or nothing. Large sources go up in parts. Resolves with the new object's metadata. */
  put(key: ObjectKey, body: PutBody, options?: PutOptions): Promise<ObjectMetadata>
  /** Removes what is there of `keys`; a missing key is no error. */
  delete(keys: readonly ObjectKey[], options?: Abortable): Promise<void>
}

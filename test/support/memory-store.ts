import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { StoreError } from '../../src/store/errors.ts'
import {
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
  smallestPart,
  type UploadToken,
} from '../../src/store/object-store.ts'

export type StoreCall = 'get' | 'head' | 'list' | 'put' | 'delete' | 'begin' | 'part' | 'complete' | 'abandon'

/** Objects in memory, under the conditions of a bucket. A test holds up calls, or has them fail, before or after they are done. */
export class MemoryStore implements ObjectStore {
  readonly description = 'memory'
  readonly objects = new Map<string, Buffer>()
  before: (call: StoreCall, key: string) => Promise<void> | void = () => {}
  after: (call: StoreCall, key: string) => Promise<void> | void = () => {}

  async get(key: ObjectKey, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    return this.#call('get', key, options, () => {
      const metadata = this.#metadata(key)
      if (metadata === undefined) return undefined
      if (options.ifMatch !== undefined && options.ifMatch !== metadata.etag)
        throw new StoreError('changed', `${key} has changed`)
      const { offset, length } = options.range ?? { offset: 0, length: metadata.size }
      const bytes = Buffer.from((this.objects.get(key) as Buffer).subarray(offset, offset + length))
      return { ...metadata, bytes }
    })
  }

  async getStream(key: ObjectKey, options: GetOptions = {}): Promise<ObjectStream | undefined> {
    const found = await this.get(key, options)
    if (found === undefined) return undefined
    const { bytes, ...metadata } = found
    return { ...metadata, body: piecesOf(bytes) }
  }

  async head(
    key: ObjectKey,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<ObjectMetadata | undefined> {
    return this.#call('head', key, options, () => this.#metadata(key))
  }

  async *list(prefix: string, { delimiter, signal }: ListOptions = {}): AsyncIterable<ListPage> {
    yield await this.#call('list', prefix, { signal }, () => {
      const objects: ObjectMetadata[] = []
      const prefixes = new Set<string>()
      const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix))
      for (const key of keys.sort((a, b) => (isBehind(a, b) ? 1 : -1))) {
        const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length)
        if (end === -1) objects.push(this.#metadata(objectKey(key)) as ObjectMetadata)
        else prefixes.add(key.slice(0, end + 1))
      }
      return { objects, prefixes: [...prefixes] }
    })
  }

  async put(key: ObjectKey, body: PutBody, options: PutOptions = {}): Promise<ObjectMetadata> {
    return this.#call('put', key, options, () => {
      const there = this.#metadata(key)
      if (options.ifNoneMatch !== undefined && there !== undefined)
        throw new StoreError('exists', `${key} exists`)
      if (options.ifMatch !== undefined && options.ifMatch !== there?.etag)
        throw new StoreError('changed', `${key} has changed`)
      this.objects.set(key, bytesOf(body))
      return this.#metadata(key) as ObjectMetadata
    })
  }

  /** Of each upload that is under way, its parts by number. */
  readonly uploads = new Map<string, Map<number, Buffer>>()
  #lastUpload = 0

  readonly parts: PartStore = {
    begin: (key, options = {}) =>
      this.#call('begin', key, options, () => {
        const token = `upload-${++this.#lastUpload}`
        this.uploads.set(token, new Map())
        return token as UploadToken
      }),
    put: (key, upload, { number, bytes }, options = {}) =>
      this.#call('part', key, options, () => {
        this.#upload(key, upload).set(number, Buffer.from(bytes))
        return `part-${number}`
      }),
    complete: (key, upload, parts, options) =>
      this.#call('complete', key, options, () => {
        const there = this.#metadata(key)
        if (!this.uploads.has(upload) && there?.size === options.size) return there
        const sent = this.#upload(key, upload)
        const pieces = parts.map((part) => sent.get(Number(part.slice('part-'.length))))
        if (pieces.slice(0, -1).some((piece) => piece === undefined || piece.length < smallestPart))
          throw new StoreError('invalid', 'a part is too small')
        this.objects.set(key, Buffer.concat(pieces as Buffer[]))
        this.uploads.delete(upload)
        return this.#metadata(key) as ObjectMetadata
      }),
    abandon: (key, upload, options = {}) =>
      this.#call('abandon', key, options, () => void this.uploads.delete(upload)),
  }

  #upload(key: string, upload: UploadToken): Map<number, Buffer> {
    const parts = this.uploads.get(upload)
    if (parts === undefined) throw new StoreError('changed', `${key}: its parts are gone`)
    return parts
  }

  async delete(
    keys: readonly ObjectKey[],
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    for (const key of keys) await this.#call('delete', key, options, () => this.objects.delete(key))
  }

  async #call<T>(
    call: StoreCall,
    key: string,
    { signal }: { signal?: AbortSignal | undefined },
    work: () => T,
  ): Promise<T> {
    await this.before(call, key)
    signal?.throwIfAborted()
    const result = work()
    await this.after(call, key)
    return result
  }

  #metadata(key: ObjectKey): ObjectMetadata | undefined {
    const bytes = this.objects.get(key)
    if (bytes === undefined) return undefined
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`
    return { key, size: bytes.length, etag, modified: 0 }
  }
}

/** In several, of odd sizes. */
async function* piecesOf(bytes: Buffer): AsyncIterable<Buffer> {
  const size = 10_007
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

function bytesOf(body: PutBody): Buffer {
  if (Buffer.isBuffer(body)) return Buffer.from(body)
  const fd = openSync(body.path, 'r')
  try {
    return Buffer.concat(
      body.ranges.map(({ offset, length }) => {
        const bytes = Buffer.alloc(length)
        const count = readSync(fd, bytes, 0, length, offset)
        if (count < length) throw new StoreError('invalid', 'the file is shorter than it was')
        return bytes
      }),
    )
  } finally {
    closeSync(fd)
  }
}

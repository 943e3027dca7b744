import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { BufferPool } from '../base/buffer-pool.ts'
import { codeOf } from '../base/errors.ts'
import type { Semaphore } from '../base/semaphore.ts'
import { CacheError } from '../cache/errors.ts'
import type { HashThread } from '../cache/hash-thread.ts'
import { fileKey } from '../destination/layout.ts'
import type { NewObject } from '../snapshot/working-index.ts'
import type { ByteRange, ObjectKey, ObjectStore, UploadToken } from '../store/object-store.ts'
import { GatheredParts, type PartBytes } from './gathered-parts.ts'
import type { GrowingState, SentPart } from './growing-rows.ts'
import { readBack } from './read-back.ts'
import { SequentialHash } from './sequential-hash.ts'
import type { StagedFile } from './staged-file.ts'

export interface GrowingUploadOptions {
  readonly store: ObjectStore
  readonly repository: string
  readonly file: StagedFile
  /** Bytes of each of the first parts. */
  readonly partSize: number
  /** Bytes of all growing uploads that are read back into memory. */
  readonly memory: Semaphore
  /** `GatheredPartsOptions.gathering`. */
  readonly gathering: Semaphore
  /** For parts: `partBuffers`. */
  readonly buffers: BufferPool
  readonly hashes: HashThread
  /** Keeps the state beyond this process. */
  readonly remember: (state: GrowingState) => void
  /** A part is in the store, or could not be sent. */
  readonly onProgress: () => void
}

interface Part {
  readonly number: number
  /** In the object. */
  readonly offset: number
  readonly length: number
  /** In the file. */
  readonly ranges: readonly ByteRange[]
  etag: string | undefined
  isUnderWay: boolean
}

/** What `finish` has made of the end of the file. */
interface Whole {
  /** -1: it has failed. */
  readonly end: number
  readonly rest: readonly ByteRange[]
  readonly etag: string | undefined
  readonly sha256: Buffer | undefined
}

/** What the whole file is. */
export interface GrownContent {
  readonly size: number
  readonly sha256: Buffer
  readonly ranges: readonly ByteRange[]
}

/**
 * Bytes of a part, which all of an upload have: Cloudflare R2 takes no others. versitygw, on ext4, refuses an object when the compressed offsets of its parts fill an attribute of the file, as
 * those of some 700 do: 22 GiB. Where the staging area is small many files must have room for a part.
 */
const partSize = 32 << 20
const partSizeInSmallRoom = 16 << 20
const smallRoom = 1 << 30
/** An object has at most 10,000 parts: the thousand after the first ones are twice as large, and so on, which is enough for the 5 TiB of S3. */
const partsOfASize = 1000
const concurrency = 6
/** Milliseconds before parts that could not be sent are tried again, doubled up to the largest. */
const firstPause = 1_000
const largestPause = 60_000

/** Bytes of a part of an upload that begins, in a staging area of `room` bytes. */
export function partSizeFor(room: number): number {
  return room < smallRoom ? partSizeInSmallRoom : partSize
}

/** Bytes of parts that are in memory at a time: as many that are gathered while they are written, and that are read back. */
export const growingMemory = 4 * partSize

/** Two are kept for the next file. */
export function partBuffers(): BufferPool {
  return new BufferPool(partSize, 2)
}

/**
 * The upload of one file while it is being written from its start to its end: what has been written is sent in parts, and where the staging area is short of room,
 * given up there when the store has it. The object appears when the file is closed. Whoever changes what it `covers` must give it up before, which only who has
 * not freed anything can.
 */
export class GrowingUpload {
  readonly id: string
  readonly #options: GrowingUploadOptions
  readonly #gathered: GatheredParts
  readonly #ended = new AbortController()
  readonly #parts: Part[] = []
  #cut = 0
  #size = 0
  #upload: Promise<UploadToken> | undefined
  #underWay = 0
  #failure: Error | undefined
  #pause = firstPause
  readonly #hash: SequentialHash
  #reading: Promise<unknown> = Promise.resolve()
  #isRetrying = false
  #token: UploadToken | undefined
  #whole: Whole | undefined
  /** `asked`: whether it is there nobody knows, but nothing can be added to it any more. */
  #object: 'growing' | 'asked' | 'there' = 'growing'
  #waiting = Promise.withResolvers<void>()

  constructor(id: string, options: GrowingUploadOptions) {
    this.id = id
    this.#options = options
    this.#gathered = new GatheredParts(options)
    this.#hash = new SequentialHash(options.hashes)
    this.#waiting.promise.catch(() => {})
  }

  /** Goes on with what an earlier process has begun. */
  static resume({ id, upload, freed, parts }: GrowingState, options: GrowingUploadOptions): GrowingUpload {
    const growing = new GrowingUpload(id, options)
    growing.#upload = Promise.resolve(upload)
    growing.#token = upload
    // Parts of an earlier process are not in it.
    growing.#hash.forget()
    for (const part of parts) growing.#add(part.length, part.ranges, part.etag)
    growing.#cut = freed
    return growing
  }

  /** Whether a change of the file from `offset` on would be one of what has been sent. */
  covers(offset: number): boolean {
    return this.#object !== 'growing' || offset < this.#cut
  }

  /** What the last part failed with, if none has been stored since. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Bytes of it that are in the store. */
  get stored(): number {
    return this.#parts.reduce((sum, { etag, length }) => sum + (etag === undefined ? 0 : length), 0)
  }

  /** Whether something is on its way to the store. */
  get isUnderWay(): boolean {
    return this.#object !== 'there' && this.#parts.some(({ etag }) => etag === undefined)
  }

  get key(): ObjectKey {
    return fileKey(this.#options.repository, this.id)
  }

  /** These bytes were written at `offset`. */
  wrote(bytes: Uint8Array, offset: number): void {
    // What cannot be sent may have to wait for long.
    if (this.#failure === undefined)
      this.#gathered.wrote(bytes, offset, { next: this.#cut, size: this.#nextPartSize })
  }

  /** The file was changed in another way, or may have been. */
  forgetGathered(): void {
    this.#gathered.forget()
  }

  /** All before `end` is written. */
  grow(end: number): void {
    while (end - this.#cut >= this.#nextPartSize) {
      const taken = this.#take(end, this.#nextPartSize)
      if (taken === undefined) return
      this.#add(taken.length, taken.ranges, undefined)
      this.#cut = taken.end
    }
    this.#send()
  }

  /** Resolves when all before `end`, where the file ends, is in the store, though not visible. Rejects with what a part fails with. */
  async finish(end: number): Promise<GrownContent> {
    if (this.#whole?.end !== end) this.#whole = await this.#sendAll(end)
    const { rest, sha256 } = this.#whole
    const size = this.#size + lengthOf(rest)
    return { size, sha256: sha256 ?? (await this.#digestOfStored(size)), ranges: this.#rangesWith(rest) }
  }

  /** The object appears. */
  async complete({ size, sha256 }: GrownContent): Promise<NewObject> {
    await this.#complete(size)
    return { id: this.id, size, sha256 }
  }

  /** Gives up in the staging folder what the store has. Returns whether there was something. */
  free(): boolean {
    const { file, remember } = this.#options
    let end = file.begins
    const parts: SentPart[] = []
    for (const { etag, length, ranges } of this.#parts) {
      if (etag === undefined) break
      parts.push({ etag, length, ranges })
      end = endOf(ranges)
    }
    if (end <= file.begins || this.#token === undefined) return false
    remember({ id: this.id, upload: this.#token, freed: end, parts })
    file.free(end)
    return true
  }

  /** Nothing more is sent; what has been can be gone on with. */
  stop(reason: unknown): void {
    this.#ended.abort(reason)
    this.#gathered.forget()
    this.#hash.forget()
    this.#waiting.reject(reason)
  }

  /** Stops, and has the parts go. Rejects when they could not be removed. */
  async abandon(): Promise<void> {
    const upload = this.#upload
    this.stop(new DOMException('the file is written anew', 'AbortError'))
    const token = await upload?.catch(() => undefined)
    if (token !== undefined) await this.#options.store.parts.abandon(this.key, token)
  }

  get #nextPartSize(): number {
    return this.#options.partSize * 2 ** Math.floor(this.#parts.length / partsOfASize)
  }

  /** The next `size` bytes of data behind the cut; undefined when there are fewer before `end`. */
  #take(end: number, size: number): { ranges: ByteRange[]; length: number; end: number } | undefined {
    const ranges: ByteRange[] = []
    let length = 0
    for (const range of this.#options.file.ranges({ offset: this.#cut, length: end - this.#cut })) {
      const taken = { offset: range.offset, length: Math.min(range.length, size - length) }
      ranges.push(taken)
      length += taken.length
      if (length === size) return { ranges, length, end: taken.offset + taken.length }
    }
    return undefined
  }

  #add(length: number, ranges: readonly ByteRange[], etag: string | undefined): void {
    const number = this.#parts.length + 1
    this.#parts.push({ number, offset: this.#size, length, ranges, etag, isUnderWay: false })
    this.#size += length
  }

  #send(): void {
    for (const part of this.#parts) {
      if (this.#underWay >= concurrency || this.#ended.signal.aborted || this.#object === 'there') return
      if (part.etag !== undefined || part.isUnderWay) continue
      part.isUnderWay = true
      this.#underWay++
      void this.#sendFull(part).finally(() => {
        part.isUnderWay = false
        this.#underWay--
        this.#progress()
        if (this.#failure === undefined) this.#send()
        else void this.#tryAgain()
      })
    }
  }

  async #sendFull(part: Part): Promise<void> {
    try {
      part.etag = await this.#sendPart(part)
      this.#failure = undefined
      this.#pause = firstPause
    } catch (error) {
      this.#failure = error as Error
      this.#gathered.forget()
    }
  }

  async #sendAll(end: number): Promise<Whole> {
    this.#failure = undefined
    this.grow(end)
    try {
      while (this.isUnderWay) {
        if (this.#failure !== undefined) throw this.#failure
        await this.#waiting.promise
      }
      return await this.#sendRest(end)
    } catch (error) {
      // An earlier process may have died after its last request, and before it knew.
      if (codeOf(error) !== 'changed' || !(await this.#hasAppeared(end))) throw error
      this.#object = 'there'
      return { end, rest: this.#restBefore(end), etag: undefined, sha256: undefined }
    }
  }

  async #hasAppeared(end: number): Promise<boolean> {
    const { store } = this.#options
    const found = await store.head(this.key, { signal: this.#ended.signal })
    return found?.size === this.#size + lengthOf(this.#restBefore(end))
  }

  /** What fills no part any more. */
  #restBefore(end: number): ByteRange[] {
    const length = end - this.#cut
    return length > 0 ? this.#options.file.ranges({ offset: this.#cut, length }) : []
  }

  async #sendRest(end: number): Promise<Whole> {
    // What was behind the cut before has been hashed.
    if (this.#whole !== undefined) this.#hash.forget()
    const rest = this.#restBefore(end)
    const whole = { end, rest, etag: undefined, sha256: undefined }
    // Whatever becomes of it.
    this.#whole = { ...whole, end: -1 }
    const part = { number: this.#parts.length + 1, offset: this.#size, length: lengthOf(rest), ranges: rest }
    // An upload has at least one part.
    const etag = rest.length > 0 || part.number === 1 ? await this.#sendPart(part) : undefined
    this.#gathered.forget()
    return { ...whole, etag, sha256: await this.#hash.digest() }
  }

  async #sendPart(part: Omit<Part, 'etag' | 'isUnderWay'>): Promise<string> {
    const { store, hashes } = this.#options
    const { signal } = this.#ended
    const { number, offset } = part
    const reading = this.#reading.then(() => this.#read(part))
    // One after the other, as they are hashed in their order.
    this.#reading = reading.catch(() => {})
    const { bytes, room, hashed } = await reading
    using _room = room
    const sha256 = (): Promise<Buffer | undefined> => hashes.hash(bytes).catch(() => undefined)
    try {
      return await store.parts.put(
        this.key,
        await this.#begun(),
        { number, offset, bytes, sha256 },
        { signal },
      )
    } finally {
      // The thread has the same memory: it is to be done with it before it is used again.
      await hashed
    }
  }

  /** `hashed` resolves when it no longer needs the bytes. */
  async #read({
    number,
    length,
    ranges,
  }: Pick<Part, 'number' | 'length' | 'ranges'>): Promise<PartBytes & { readonly hashed: Promise<void> }> {
    const { file, memory, buffers } = this.#options
    const { signal } = this.#ended
    try {
      const part =
        this.#gathered.take(ranges) ?? (await readBack(file, ranges, length, { memory, buffers, signal }))
      return { ...part, hashed: this.#hash.update(number, part.bytes) }
    } catch (error) {
      // Others come before it then.
      if (!this.#hash.has(number)) this.#hash.forget()
      throw error
    }
  }

  /** For ever, as long as the file is there. */
  async #tryAgain(): Promise<void> {
    if (this.#isRetrying || this.#ended.signal.aborted) return
    this.#isRetrying = true
    await delay(this.#pause, undefined, { signal: this.#ended.signal, ref: false }).catch(() => {})
    this.#isRetrying = false
    this.#pause = Math.min(largestPause, this.#pause * 2)
    this.#send()
  }

  #progress(): void {
    this.#waiting.resolve()
    this.#waiting = Promise.withResolvers()
    this.#waiting.promise.catch(() => {})
    // The file may be closed, and its descriptor another's.
    if (!this.#ended.signal.aborted) this.#options.onProgress()
  }

  #begun(): Promise<UploadToken> {
    if (this.#upload === undefined) {
      const begun = this.#begin()
      begun.catch(() => {
        this.#upload = undefined
      })
      this.#upload = begun
    }
    return this.#upload
  }

  async #begin(): Promise<UploadToken> {
    const { store, remember } = this.#options
    const { signal } = this.#ended
    const upload = await store.parts.begin(this.key, { signal })
    try {
      signal.throwIfAborted()
      // So that the next process can give it up.
      remember({ id: this.id, upload, freed: 0, parts: [] })
    } catch (error) {
      await store.parts.abandon(this.key, upload)
      throw error
    }
    this.#token = upload
    return upload
  }

  /** Where nobody has hashed all parts as they went, the object is read once more. */
  async #digestOfStored(size: number): Promise<Buffer> {
    await this.#complete(size)
    const found = await this.#options.store.getStream(this.key, { signal: this.#ended.signal })
    if (found === undefined) throw new CacheError('missing', `${this.key} is not in the store`)
    const digest = createHash('sha256')
    for await (const piece of found.body) digest.update(piece)
    const sha256 = digest.digest()
    if (this.#whole !== undefined) this.#whole = { ...this.#whole, sha256 }
    return sha256
  }

  async #complete(size: number): Promise<void> {
    if (this.#object === 'there') return
    const { signal } = this.#ended
    const etags = [...this.#parts, this.#whole].map((part) => part?.etag).filter((etag) => etag !== undefined)
    const upload = await this.#begun()
    this.#object = 'asked'
    await this.#options.store.parts.complete(this.key, upload, etags, { size, signal })
    this.#object = 'there'
  }

  #rangesWith(rest: readonly ByteRange[]): ByteRange[] {
    const joined: { offset: number; length: number }[] = []
    for (const { offset, length } of [...this.#parts.flatMap(({ ranges }) => ranges), ...rest]) {
      const last = joined.at(-1)
      if (last !== undefined && last.offset + last.length === offset) last.length += length
      else joined.push({ offset, length })
    }
    return joined
  }
}

function lengthOf(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0)
}

function endOf(ranges: readonly ByteRange[]): number {
  const last = ranges.at(-1)
  return last === undefined ? 0 : last.offset + last.length
}

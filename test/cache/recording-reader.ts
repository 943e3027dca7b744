import { createHash } from 'node:crypto'
import { orAborted } from '../../src/base/abort.ts'
import type { Logger } from '../../src/base/log.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { Blob } from '../../src/cache/blob-source.ts'
import { StoreError } from '../../src/store/errors.ts'
import {
  type GetOptions,
  type ObjectKey,
  type ObjectReader,
  objectKey,
} from '../../src/store/object-store.ts'

export interface RecordedGet {
  readonly key: string
  /** undefined for all of the object. */
  readonly range: { readonly offset: number; readonly length: number } | undefined
  readonly signal: AbortSignal
}

/** Objects in a map that records what is asked for, and answers when the test says so. */
export class RecordingReader {
  readonly objects = new Map<string, Buffer>()
  readonly gets: RecordedGet[] = []
  /** Called for each request; may throw, or give other bytes. */
  tamper: ((get: RecordedGet, bytes: Buffer) => Buffer) | undefined
  readonly #answers = new Set<() => void>()
  #holds = false

  /** From now on requests wait until `release`. */
  hold(): void {
    this.#holds = true
  }

  release(): void {
    this.#holds = false
    for (const answer of this.#answers) answer()
  }

  get waiting(): number {
    return this.#answers.size
  }

  readonly reader: ObjectReader = {
    description: 'recorded',
    get: async (key: ObjectKey, { range, into, signal }: GetOptions = {}) => {
      if (signal === undefined) throw new TypeError('every request must be possible to abort')
      const get = { key, range, signal }
      this.gets.push(get)
      if (this.#holds) {
        const { promise, resolve } = Promise.withResolvers<void>()
        this.#answers.add(resolve)
        await orAborted(promise, signal).finally(() => this.#answers.delete(resolve))
      }
      signal.throwIfAborted()
      const object = this.objects.get(key)
      if (object === undefined) return undefined
      if (range && range.offset >= object.length) throw new StoreError('invalid', `${key} ends before`)
      const asked = range ? object.subarray(range.offset, range.offset + range.length) : object
      const given = this.tamper?.(get, asked) ?? asked
      const bytes = into !== undefined && into.length >= given.length ? into : Buffer.alloc(given.length)
      const length = given.copy(bytes)
      return {
        key,
        size: range ? object.length : length,
        etag: '"1"',
        modified: 0,
        bytes: bytes.subarray(0, length),
      }
    },
    getStream: async (key: ObjectKey, options?: GetOptions) => {
      const found = await this.reader.get(key, options)
      return found && { ...found, body: piecesOf(found.bytes) }
    },
    head: async (key: ObjectKey) => {
      const object = this.objects.get(key)
      return object && { key, size: object.length, etag: '"1"', modified: 0 }
    },
    list: () => {
      throw new TypeError('the cache knows what it wants')
    },
  }

  /** Adds an object; the blob expects just these bytes. */
  add(name: string, bytes: Buffer): Blob {
    this.objects.set(name, bytes)
    return blobOf(name, bytes)
  }
}

async function* piecesOf(bytes: Buffer): AsyncIterable<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += 65_536) yield bytes.subarray(offset, offset + 65_536)
}

export function blobOf(name: string, bytes: Buffer): Blob {
  return { key: objectKey(name), size: bytes.length, sha256: createHash('sha256').update(bytes).digest() }
}

/** Bytes that are nowhere alike, the same for the same seed. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let state = seed >>> 0 || 1
  for (let i = 0; i < length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[i] = state
  }
  return bytes
}

export class RecordingLogger implements Logger {
  readonly lines: { readonly level: string; readonly fields: object; readonly message: string }[] = []
  readonly debug = silentLogger.debug
  readonly info = (fields: object, message: string): void => this.#add('info', fields, message)
  readonly warn = (fields: object, message: string): void => this.#add('warn', fields, message)
  readonly error = (fields: object, message: string): void => this.#add('error', fields, message)

  #add(level: string, fields: object, message: string): void {
    this.lines.push({ level, fields, message })
  }
}

/** Lets everything run that waits for no input. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

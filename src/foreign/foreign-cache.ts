import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Abortable } from '../base/abort.ts'
import { markUsed } from '../base/mark-used.ts'
import { systemReason } from '../base/system-reason.ts'
import { IndexCacheError } from '../snapshot/errors.ts'
import { removeUnusedIndexes } from '../snapshot/unused-indexes.ts'
import { StoreError } from '../store/errors.ts'
import type { ObjectMetadata, ObjectReader } from '../store/object-store.ts'
import { ForeignError } from './errors.ts'
import { loadJson } from './load-json.ts'
import { type Recognised, recognise } from './recognise.ts'
import { unpacked } from './unpack.ts'

export interface KeepOptions extends Abortable {
  readonly store: ObjectReader
  /** Unpacked databases are kept below it, by place and etag. */
  readonly cacheDir: string
  /** Told of the bytes that were fetched so far. */
  readonly onBytes?: ((bytes: number) => void) | undefined
}

/** An object with tables, unpacked. */
export interface KeptDatabase extends Recognised {
  /** Of an SQLite database, which nobody changes. */
  readonly path: string
}

/**
 * No database is larger (bytes), or than so many times what it takes in the store: real ones shrink to a fifth, a bomb to a thousandth.
 */
const alwaysAllowed = 2 ** 30
const largestRatio = 100
const largest = 64 * 2 ** 30

/** Bytes of a document that is read into memory. */
const largestJson = 128 << 20

/** Tries of a download; each stands on the store's own retries. */
const downloadTries = 3

/**
 * Fetches the object with tables at `key`, unless it is in the cache: an SQLite database, or JSON, which becomes one (`load-json.ts`), in any container. Undefined: there is no such object. Rejects with
 * `ForeignError`, `IndexCacheError` or `StoreError`.
 */
export async function keepForeignDatabase(
  key: ObjectMetadata['key'],
  options: KeepOptions,
): Promise<KeptDatabase | undefined> {
  const recognised = await recognise(options.store, key, options)
  return recognised && { ...recognised, path: await keepRecognised(recognised, options) }
}

/** As `keepForeignDatabase`, for an object that was looked at; resolves with the path of the database. */
export async function keepRecognised(object: Recognised, options: KeepOptions): Promise<string> {
  if (object.content === 'unknown')
    throw new ForeignError('bad-database', `${object.key} is neither an SQLite database nor JSON`)
  const folder = join(options.cacheDir, 'foreign')
  const path = join(folder, `${nameOf(object, options.store)}.sqlite`)
  try {
    if ((await markUsed(path)) !== undefined) return path
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`
    try {
      await unpackTo(temporary, object, options)
      if (object.content === 'json') await loadJson(temporary, `${temporary}.tables`, options)
      await rename(object.content === 'json' ? `${temporary}.tables` : temporary, path)
    } finally {
      await rm(temporary, { force: true })
      await rm(`${temporary}.tables`, { force: true })
    }
    await removeUnusedIndexes(folder)
    return path
  } catch (error) {
    throw ofCache(error, options.cacheDir)
  }
}

function nameOf({ key, etag }: Recognised, store: ObjectReader): string {
  return createHash('sha256')
    .update(JSON.stringify([store.description, key, etag]))
    .digest('hex')
}

async function unpackTo(path: string, object: Recognised, options: KeepOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await unpackOnce(path, object, options)
    } catch (error) {
      // The body of a stream can break off after the store's own retries are over.
      if (!(error instanceof StoreError && error.retryable) || attempt === downloadTries) throw error
    }
  }
}

async function unpackOnce(
  path: string,
  { key, etag, size, container, content }: Recognised,
  { store, signal, onBytes = () => {} }: KeepOptions,
): Promise<void> {
  const stream = await store.getStream(key, { ifMatch: etag, signal })
  if (stream === undefined) throw new StoreError('changed', `${key} was removed while it was being read`)
  let fetched = 0
  const counted = async function* (): AsyncIterable<Buffer> {
    for await (const chunk of stream.body) {
      fetched += chunk.length
      onBytes(fetched)
      yield chunk
    }
  }
  const limit =
    content === 'json' ? largestJson : Math.min(largest, Math.max(alwaysAllowed, largestRatio * size))
  await pipeline(unpacked(container, counted(), { limit, signal }), createWriteStream(path, { mode: 0o600 }))
}

function ofCache(error: unknown, cacheDir: string): unknown {
  if (!(error instanceof Error && 'syscall' in error)) return error
  const isFull = 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
  const message = `a database cannot be kept in ${cacheDir}: ${systemReason(error)}`
  return new IndexCacheError(isFull ? 'cache-full' : 'cache-unusable', message, { cause: error })
}

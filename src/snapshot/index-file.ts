import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, rmSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { constants, createZstdDecompress } from 'node:zlib'
import type { Abortable } from '../base/abort.ts'
import { codeOf, messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { markUsed } from '../base/mark-used.ts'
import { systemReason } from '../base/system-reason.ts'
import { StoreError } from '../store/errors.ts'
import { type ObjectReader, objectKey } from '../store/object-store.ts'
import { type CatalogEntry, readSnapshot } from './catalog.ts'
import { IndexCacheError, SnapshotError } from './errors.ts'
import { IndexTree } from './index-tree.ts'
import type { IndexReference } from './manifest.ts'
import type { OwnTree } from './tree.ts'
import { removeUnusedIndexes } from './unused-indexes.ts'
import { validateUntrusted } from './validate-untrusted.ts'

export interface OpenIndexOptions extends Abortable {
  readonly store: ObjectReader
  /** Prefix of the repository's keys. */
  readonly repository: string
  readonly entry: CatalogEntry
  /** Indexes are kept below it, by their SHA-256. */
  readonly cacheDir: string
  readonly logger: Logger
}

/** Of two publishes the second one's index takes the place of that which the manifest before the first names: who has read that manifest is late. */
const staleRetries = 4
/** Milliseconds before the first of them, doubled each time: more than the two puts are apart, and no long wait for what is damaged for good. */
const staleDelay = 100
/** Tries of a download; each stands on the store's own retries. */
const downloadTries = 3
/** Binary logarithm of the memory that decompression may take: 8 MiB, which every decoder grants (RFC 8878 §3.1.1.1.2). */
const largestWindowLog = 23
/** Bytes at a time: with the 16 KiB of zlib's default a large index takes twice the time (measured, 218 MiB). */
const decompressedChunk = 1 << 20

/**
 * Opens the file index of a snapshot: from the cache, or fetched, checked against the manifest's SHA-256, decompressed, validated row by row,
 * and kept. Rejects with `SnapshotError` (`no-index`, `bad-index`, `foreign`, …), `IndexCacheError` or `StoreError`.
 */
export function openSnapshotIndex(options: OpenIndexOptions): Promise<OwnTree> {
  return withCurrent(options, openFetched)
}

/** As `openSnapshotIndex`; resolves with the path at which the valid index is kept, an SQLite file. */
export function keepSnapshotIndex(options: OpenIndexOptions): Promise<string> {
  return withCurrent(options, async (current, reference) => {
    await fetchIndex(current, reference)
    return pathOf(current.cacheDir, reference)
  })
}

/** Waits for the end of a publish that is under way, and reads what is published then. */
async function withCurrent<T>(
  options: OpenIndexOptions,
  read: (options: OpenIndexOptions, reference: IndexReference) => Promise<T>,
): Promise<T> {
  const { store, repository, signal } = options
  let { entry } = options
  for (let attempt = 0; ; attempt++) {
    if (entry.problem !== undefined) throw entry.problem
    const reference = entry.manifest?.jbfs?.index as IndexReference
    try {
      return await read({ ...options, entry }, reference)
    } catch (error) {
      // A collector may have taken the index of the state before.
      const isMissing = codeOf(error) === 'no-index'
      if (!(isMissing || error instanceof OtherBytes) || attempt === staleRetries) throw error
      const current = await readSnapshot(store, repository, entry.number, { signal })
      if (current === undefined) throw error
      const isSame = current.manifestEtag === entry.manifestEtag
      if (isSame && isMissing) throw error
      if (isSame) await delay(staleDelay * 2 ** attempt, undefined, { signal })
      entry = current
    }
  }
}

async function openFetched(options: OpenIndexOptions, reference: IndexReference): Promise<OwnTree> {
  const path = pathOf(options.cacheDir, reference)
  const open = async (): Promise<OwnTree> => {
    await fetchIndex(options, reference)
    return IndexTree.open(path, options.repository, {
      onDamage: (error) => {
        discard(path)
        return bad(options, `was damaged after it was fetched, in ${path}, and will be fetched again`, error)
      },
    })
  }
  try {
    try {
      return await open()
    } catch (error) {
      if (codeOf(error) !== 'ERR_SQLITE_ERROR') throw error
      // What was kept is damaged.
      await rm(path, { force: true })
      return await open()
    }
  } catch (error) {
    throw isSystemError(error) ? cannotKeep(options, error) : error
  }
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // A disk that damages files may be read-only by now.
  }
}

/** The bytes in the store are not those that the manifest speaks of. */
class OtherBytes extends SnapshotError {}

function folderOf(cacheDir: string): string {
  return join(cacheDir, 'indexes')
}

function pathOf(cacheDir: string, { sha256 }: IndexReference): string {
  return join(folderOf(cacheDir), `${sha256}.sqlite`)
}

/** Makes sure that the index is in the cache, valid. */
async function fetchIndex(options: OpenIndexOptions, reference: IndexReference): Promise<void> {
  const path = pathOf(options.cacheDir, reference)
  if ((await markUsed(path))?.size === reference.rawSize) return
  await mkdir(folderOf(options.cacheDir), { recursive: true, mode: 0o700 })
  const started = performance.now()
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`
  try {
    await download(options, reference, `${temporary}.zst`)
    await decompress(`${temporary}.zst`, temporary, reference, options)
    const [validated] = await Promise.all([
      validateUntrusted(temporary, { signal: options.signal }),
      sync(temporary),
    ])
    if (typeof validated === 'string') throw bad(options, `is not valid: ${validated}`)
    await rename(temporary, path)
    options.logger.info(
      {
        snapshot: nameOf(options),
        inodes: validated.inodes,
        milliseconds: Math.round(performance.now() - started),
      },
      'file index fetched',
    )
    await removeUnused(options)
  } finally {
    await rm(`${temporary}.zst`, { force: true })
    await rm(temporary, { force: true })
  }
}

async function download(options: OpenIndexOptions, reference: IndexReference, path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await downloadOnce(options, reference, path)
      return
    } catch (error) {
      // The body of a stream can break off after the store's own retries are over.
      if (!(error instanceof StoreError && error.retryable) || attempt === downloadTries) throw error
    }
  }
}

async function downloadOnce(
  options: OpenIndexOptions,
  reference: IndexReference,
  path: string,
): Promise<void> {
  const { store, repository, signal } = options
  const stream = await store.getStream(objectKey(repository + reference.key), { signal })
  if (stream === undefined)
    throw new SnapshotError(
      'no-index',
      `${nameOf(options)} cannot be shown: its file index ${reference.key} is missing`,
    )
  const isAsLong = stream.size === reference.size
  const hash = createHash('sha256')
  const hashed = async function* (): AsyncIterable<Buffer> {
    for await (const chunk of stream.body) {
      // A body is given up, with its connection, only by who has begun to read it.
      if (!isAsLong) break
      hash.update(chunk)
      yield chunk
    }
  }
  await pipeline(hashed, createWriteStream(path, { mode: 0o600 }))
  if (!isAsLong)
    throw new OtherBytes(
      'bad-index',
      `the file index of ${nameOf(options)} has ${stream.size} bytes, and its manifest says ${reference.size}`,
    )
  if (hash.digest('hex') !== reference.sha256)
    throw new OtherBytes(
      'bad-index',
      `the file index of ${nameOf(options)} does not have the SHA-256 of its manifest`,
    )
}

/** Decompresses no more than the manifest says it is. */
async function decompress(
  from: string,
  to: string,
  { rawSize }: IndexReference,
  options: OpenIndexOptions,
): Promise<void> {
  const limited = async function* (source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    let length = 0
    for await (const chunk of source) {
      length += chunk.length
      if (length > rawSize) throw bad(options, `is larger than the ${rawSize} bytes of its manifest`)
      yield chunk
    }
    if (length !== rawSize) throw bad(options, `has ${length} bytes, not the ${rawSize} of its manifest`)
  }
  try {
    await pipeline(
      createReadStream(from),
      createZstdDecompress({
        chunkSize: decompressedChunk,
        params: { [constants.ZSTD_d_windowLogMax]: largestWindowLog },
      }),
      limited,
      createWriteStream(to, { mode: 0o600 }),
    )
  } catch (error) {
    if (error instanceof SnapshotError || isSystemError(error)) throw error
    throw bad(options, `cannot be decompressed (${messageOf(error)})`, error)
  }
}

async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r')
  await file.sync()
}

async function removeUnused({ cacheDir, logger }: OpenIndexOptions): Promise<void> {
  try {
    await removeUnusedIndexes(folderOf(cacheDir))
  } catch (error) {
    logger.warn({ error: messageOf(error) }, 'old file indexes could not be removed from the cache')
  }
}

function nameOf({ repository, entry }: OpenIndexOptions): string {
  return repository + entry.name
}

/** Of Node.js itself: here, of the cache folder. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

function cannotKeep({ cacheDir }: OpenIndexOptions, cause: NodeJS.ErrnoException): IndexCacheError {
  const isFull = cause.code === 'ENOSPC' || cause.code === 'EDQUOT'
  const message = `a file index cannot be kept in ${cacheDir}: ${systemReason(cause)}`
  return new IndexCacheError(isFull ? 'cache-full' : 'cache-unusable', message, { cause })
}

function bad(options: OpenIndexOptions, reason: string, cause?: unknown): SnapshotError {
  return new SnapshotError('bad-index', `the file index of ${nameOf(options)} ${reason}`, { cause })
}

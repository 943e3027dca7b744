import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { constants, createZstdCompress } from 'node:zlib'
import type { Abortable } from '../base/abort.ts'
import { indexKeys, manifestKey, snapshotName } from '../destination/layout.ts'
import { StoreError } from '../store/errors.ts'
import type { FileSource, ObjectKey, ObjectMetadata, ObjectStore } from '../store/object-store.ts'
import { defaultRetryPolicy, retryDelay } from '../store/with-retry.ts'
import type { CatalogEntry } from './catalog.ts'
import { SnapshotError } from './errors.ts'
import {
  type JbfsMember,
  type Manifest,
  type ManifestMembers,
  parseManifest,
  serializeManifest,
} from './manifest.ts'
import { formatVersion } from './schema.ts'
import { validateUntrusted } from './validate-untrusted.ts'

export interface PublishOptions extends Abortable {
  readonly store: ObjectStore
  /** Prefix of the repository's keys. */
  readonly repository: string
  readonly number: number
  /** The finished index, an SQLite file. */
  readonly indexPath: string
  readonly manifest: Omit<Manifest, 'bytes' | 'jbfs'>
  readonly totals: Omit<JbfsMember, 'format' | 'index'>
  /** Members of a vendor's manifest to keep. */
  readonly base?: ManifestMembers | undefined
  /** Etag of the manifest whose snapshot this is a new state of; undefined: the snapshot is new. */
  readonly replaces?: string | undefined
  /** Key of that state's index, relative to the repository: it is left alone. */
  readonly replacesIndex?: string | undefined
  /** The last word before the snapshot can be seen, with the manifest that is about to be put: what it rejects with ends the publish. */
  readonly beforeManifest?: ((manifest: Buffer) => Promise<void>) | undefined
}

/** Level 3 is zstd's own default: 1,000,000 inodes in under a second, to a third of their size. */
const compressionLevel = 3

/** Tries of a conditional put, which the store does not repeat by itself. */
const putTries = 4

/**
 * Makes a snapshot, or a new state of one, visible: its index, then, as the last thing, its manifest, whose etag it resolves with. Rejects with `snapshot-exists` when
 * there is such a snapshot, or no longer the state that is to be replaced, and with `bad-index` or `bad-manifest` when readers would refuse what is
 * to be published. Until its second put the old state is there, whole.
 * An index without a manifest is what an interrupted publish left: it is replaced. Of two publishes of one number at a time at most one succeeds
 * (`native-notes/format.md` §6). An abort is heeded until the manifest is put: from then on the snapshot may be there.
 */
export async function publishSnapshot(options: PublishOptions): Promise<CatalogEntry> {
  const { store, repository, number, indexPath, signal } = options
  const compressed = `${indexPath}.zst`
  // Meanwhile: what is put is bound to what was seen here, however long ago.
  const present = whatIsThere(options)
  present.catch(() => {})
  try {
    const sha256 = await compressValid(indexPath, compressed, signal)
    const { size } = await stat(compressed)
    const { size: rawSize } = await stat(indexPath)
    const jbfs = {
      format: formatVersion,
      ...options.totals,
      index: { key: indexKeyOf(options, ''), encoding: 'zstd', size, rawSize, sha256 } as const,
    }
    const manifest = serializeManifest({ ...options.manifest, jbfs }, options.base)
    const parsed = parseManifest(manifest)
    const source = { path: compressed, ranges: [{ offset: 0, length: size }] }
    const etag = await putIndex(options, source, present)
    await options.beforeManifest?.(manifest)
    signal?.throwIfAborted()
    const manifestEtag = await putManifest(options, manifest)
    const index = await store.head(indexKeyOf(options))
    if (index?.etag !== etag) {
      // Another publish took ours for what an interrupted one had left.
      if (options.replaces === undefined) await store.delete([manifestKey(repository, number)])
      throw exists(options)
    }
    return { number, name: snapshotName(number), manifestEtag, manifest: parsed, problem: undefined }
  } finally {
    await rm(compressed, { force: true })
  }
}

/** Rejects with `bad-index` when readers would refuse the index. */
async function refuseBad(indexPath: string, signal: AbortSignal | undefined): Promise<void> {
  const validated = await validateUntrusted(indexPath, { signal })
  if (typeof validated === 'string') throw new SnapshotError('bad-index', `the new file index: ${validated}`)
}

/** Compresses an index while it is looked at, and resolves with the SHA-256. Rejects with `bad-index`, too; whenever it rejects, nothing goes on. */
async function compressValid(from: string, to: string, signal: AbortSignal | undefined): Promise<string> {
  const failed = new AbortController()
  const either = AbortSignal.any([failed.signal, ...(signal === undefined ? [] : [signal])])
  const work = [compress(from, to, either), refuseBad(from, either)] as const
  try {
    const [sha256] = await Promise.all(work)
    return sha256
  } catch (error) {
    failed.abort(error)
    await Promise.allSettled(work)
    throw error
  }
}

function indexKeyOf(
  { number, replacesIndex, ...options }: PublishOptions,
  repository = options.repository,
): ObjectKey {
  const [first, second] = indexKeys(repository, number)
  return replacesIndex === indexKeys('', number)[0] ? second : first
}

interface Present {
  /** In the place of the new index. */
  readonly index: ObjectMetadata | undefined
  readonly manifest: ObjectMetadata | undefined
}

async function whatIsThere(options: PublishOptions): Promise<Present> {
  const { store, repository, number, signal } = options
  const [index, manifest] = await Promise.all([
    store.head(indexKeyOf(options), { signal }),
    store.head(manifestKey(repository, number), { signal }),
  ])
  return { index, manifest }
}

/** Resolves with the index's etag. `first`: what is there, for the first try. */
async function putIndex(
  options: PublishOptions,
  source: FileSource,
  first: Promise<Present>,
): Promise<string> {
  const { store, signal } = options
  const key = indexKeyOf(options)
  return trying(options, { signal }, async (attempt) => {
    const { index, manifest } = await (attempt === 1 ? first : whatIsThere(options))
    if (manifest?.etag !== options.replaces) throw exists(options)
    const condition = index === undefined ? ({ ifNoneMatch: '*' } as const) : { ifMatch: index.etag }
    return (await store.put(key, source, { ...condition, signal })).etag
  })
}

async function putManifest(options: PublishOptions, manifest: Buffer): Promise<string> {
  const { store, repository, number, replaces } = options
  const key = manifestKey(repository, number)
  return trying(options, {}, async (attempt) => {
    if (attempt > 1) {
      // The put before may have been done although it seemed to fail.
      const there = await store.get(key)
      if (there?.bytes.equals(manifest)) return there.etag
      if (there?.etag !== replaces) throw exists(options)
    }
    const condition = replaces === undefined ? ({ ifNoneMatch: '*' } as const) : { ifMatch: replaces }
    return (await store.put(key, manifest, condition)).etag
  })
}

/**
 * Puts until it is done, or refused. Only the first try is refused by what somebody else has put: later ones may be by an earlier one of ours that has
 * come late, or is on its way, so that `put` is to look again.
 */
async function trying<T>(
  options: PublishOptions,
  { signal }: Abortable,
  put: (attempt: number) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await put(attempt)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      const isRefused = error.code === 'exists' || error.code === 'changed'
      if (isRefused && (attempt === 1 || attempt > putTries)) throw exists(options, error)
      if (!isRefused && (!error.retryable || attempt >= putTries)) throw error
      await delay(retryDelay(attempt, defaultRetryPolicy), undefined, { signal })
    }
  }
}

async function compress(from: string, to: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  const hashed = async function* (source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    for await (const chunk of source) {
      hash.update(chunk)
      yield chunk
    }
  }
  const compressor = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: compressionLevel } })
  await pipeline(createReadStream(from), compressor, hashed, createWriteStream(to, { mode: 0o600 }), {
    signal,
  })
  return hash.digest('hex')
}

function exists({ repository, number, replaces }: PublishOptions, cause?: unknown): SnapshotError {
  const problem =
    replaces === undefined
      ? 'exists already: choose another number'
      : 'is no longer the state that is to be replaced: somebody else has changed it'
  return new SnapshotError('snapshot-exists', `${repository}${snapshotName(number)} ${problem}`, { cause })
}

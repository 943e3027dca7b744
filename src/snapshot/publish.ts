import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress } from 'node:zlib'
import type { Abortable } from '../base/abort.ts'
import { indexKey, manifestKey, snapshotName } from '../destination/layout.ts'
import { StoreError } from '../store/errors.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { SnapshotError } from './errors.ts'
import { type JbfsMember, type Manifest, serializeManifest } from './manifest.ts'
import { formatVersion } from './schema.ts'

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
  readonly base?: { readonly [member: string]: unknown } | undefined
}

/** Level 3 is zstd's own default: 1,000,000 inodes in under a second, to a third of their size. */
const compressionLevel = 3

/**
 * Makes a new snapshot visible: its index, then, as the last thing, its manifest. Rejects with `exists` when there is such a snapshot.
 * An index without a manifest is what an interrupted publish left: it is replaced.
 */
export async function publishSnapshot(options: PublishOptions): Promise<void> {
  const { store, repository, number, indexPath, signal } = options
  const compressed = `${indexPath}.zst`
  try {
    const sha256 = await compress(indexPath, compressed, signal)
    const { size } = await stat(compressed)
    const { size: rawSize } = await stat(indexPath)
    if ((await store.head(manifestKey(repository, number), { signal })) !== undefined) throw exists(options)
    await store.put(
      indexKey(repository, number),
      { path: compressed, ranges: [{ offset: 0, length: size }] },
      { signal },
    )
    const key = `export/${snapshotName(number)}`
    const jbfs = {
      format: formatVersion,
      ...options.totals,
      index: { key, encoding: 'zstd', size, rawSize, sha256 } as const,
    }
    const manifest = serializeManifest({ ...options.manifest, jbfs }, options.base)
    await store.put(manifestKey(repository, number), manifest, { ifNoneMatch: '*', signal })
  } catch (error) {
    throw error instanceof StoreError && error.code === 'exists' ? exists(options, error) : error
  } finally {
    await rm(compressed, { force: true })
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

function exists({ repository, number }: PublishOptions, cause?: unknown): SnapshotError {
  return new SnapshotError(
    'exists',
    `${repository}${snapshotName(number)} exists already: choose another number`,
    { cause },
  )
}

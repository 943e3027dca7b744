import { createHash } from 'node:crypto'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/abort.ts'
import type { Logger } from '../base/log.ts'
import { markUsed } from '../base/mark-used.ts'
import type { CatalogEntry } from '../snapshot/catalog.ts'
import { SnapshotError } from '../snapshot/errors.ts'
import { removeUnusedIndexes } from '../snapshot/unused-indexes.ts'
import { type ObjectKey, type ObjectReader, objectKey } from '../store/object-store.ts'
import { ForeignError } from './errors.ts'
import { keepForeignDatabase } from './foreign-cache.ts'
import { MappedTree } from './mapped-tree.ts'
import type { Mapping } from './mapping.ts'
import { materialiseElsewhere } from './materialise-elsewhere.ts'

export interface MappedSnapshotOptions extends Abortable {
  readonly store: ObjectReader
  /** Prefix of the repository's keys. */
  readonly repository: string
  readonly entry: CatalogEntry
  readonly mapping: Mapping
  /** Databases and indexes are kept below it. */
  readonly cacheDir: string
  readonly logger: Logger
  readonly onProgress?: ((progress: MappingProgress) => void) | undefined
}

/** Rows between two lines of the log: some seconds. */
const loggedRows = 250_000

/** How far the index of a snapshot is that is not in the cache. */
export interface MappingProgress {
  /** Bytes of databases that were fetched. */
  readonly bytes: number
  readonly rows: number
}

/** Part of the name of an index: another one makes other indexes of the same rows. */
const version = 3

/** Whether something else wrote a snapshot, so that a mapping makes its tree. */
export function isMapped({ manifest, problem }: CatalogEntry): boolean {
  return manifest?.jbfs === undefined && (problem === undefined || isForeign(problem))
}

/** A catalog whose foreign snapshots have nothing wrong with them, as a mapping says what is in them. */
export function withMapping(entries: readonly CatalogEntry[]): readonly CatalogEntry[] {
  return entries.map((entry) =>
    entry.problem !== undefined && isForeign(entry.problem) ? { ...entry, problem: undefined } : entry,
  )
}

/** A manifest that is no JSON is none of jbfs, either. */
function isForeign({ code }: SnapshotError): boolean {
  return code === 'foreign' || code === 'bad-manifest'
}

/**
 * Opens the tree that a mapping makes of a snapshot: its index is made once, and kept by what it was made of. Rejects with `SnapshotError` (`no-index`,
 * `bad-index`), `IndexCacheError` or `StoreError`.
 */
export async function openMappedSnapshot(options: MappedSnapshotOptions): Promise<MappedTree> {
  try {
    const path = await keepMappedIndex(options)
    const tree = MappedTree.open(path, options.repository)
    const { rows, faults } = tree.source
    const leftOut = faults.reduce((sum, { count }) => sum + count, 0)
    if (leftOut > 0)
      options.logger.warn(
        {
          snapshot: nameOf(options),
          rows,
          leftOut,
          faults: faults.map(({ kind, count }) => `${kind}: ${count}`),
        },
        'rows of a foreign index are left out: jbfs inspect --try shows them',
      )
    return tree
  } catch (error) {
    if (!(error instanceof ForeignError)) throw error
    throw new SnapshotError('bad-index', `no tree can be made of ${nameOf(options)}: ${error.message}`, {
      cause: error,
    })
  }
}

/** Resolves with the path of the index. */
async function keepMappedIndex(options: MappedSnapshotOptions): Promise<string> {
  const { cacheDir, mapping, entry, logger, signal } = options
  const folder = join(cacheDir, 'indexes')
  const path = join(folder, `mapped-${await identityOf(options)}.sqlite`)
  if ((await markUsed(path)) !== undefined) return path
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const started = performance.now()
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`
  try {
    logger.info({ snapshot: nameOf(options) }, 'a foreign index is to be mapped')
    const databases = await keepDatabases(options)
    const { rows, totals } = await materialiseElsewhere(
      { databases, mapping, number: entry.number, path: temporary },
      { signal, onRows: rowsTold(options) },
    )
    await rename(temporary, path)
    const milliseconds = Math.round(performance.now() - started)
    logger.info({ snapshot: nameOf(options), rows, ...totals, milliseconds }, 'foreign index mapped')
    await removeUnusedIndexes(folder)
    return path
  } finally {
    await rm(temporary, { force: true })
    await rm(`${temporary}.rows`, { force: true })
  }
}

/** Tells of rows that were read: whoever asked, and at times the log. */
function rowsTold(options: MappedSnapshotOptions): (rows: number) => void {
  let logged = 0
  return (rows) => {
    options.onProgress?.({ bytes: 0, rows })
    if (rows < logged + loggedRows) return
    logged = rows
    options.logger.info({ snapshot: nameOf(options), rows }, 'a foreign index is being mapped')
  }
}

/** The same for the same rows and the same mapping. */
async function identityOf({
  store,
  repository,
  entry,
  mapping,
  signal,
}: MappedSnapshotOptions): Promise<string> {
  const etags = await Promise.all(
    keysOf(mapping, repository, entry).map(async (key) => [key, (await store.head(key, { signal }))?.etag]),
  )
  return createHash('sha256')
    .update(JSON.stringify([version, store.description, etags, mapping, entry.number]))
    .digest('hex')
}

async function keepDatabases(options: MappedSnapshotOptions): Promise<string[]> {
  const { store, cacheDir, mapping, repository, entry, signal, onProgress } = options
  const paths: string[] = []
  for (const key of keysOf(mapping, repository, entry)) {
    const onBytes = (bytes: number): void => onProgress?.({ bytes, rows: 0 })
    const kept = await keepForeignDatabase(key, { store, cacheDir, signal, onBytes })
    if (kept === undefined)
      throw new SnapshotError('no-index', `${nameOf(options)} cannot be shown: ${key} is missing`)
    paths.push(kept.path)
  }
  return paths
}

/** Keys of the databases that have the rows of a snapshot. */
function keysOf({ databases }: Mapping, repository: string, { number }: CatalogEntry): ObjectKey[] {
  return databases.map((key) => objectKey(repository + key.replaceAll('{number}', String(number))))
}

function nameOf({ repository, entry }: MappedSnapshotOptions): string {
  return repository + entry.name
}

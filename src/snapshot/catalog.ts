import type { Abortable } from '../base/abort.ts'
import { containerOf, contentOf, headLength } from '../base/container.ts'
import { messageOf } from '../base/errors.ts'
import { Semaphore } from '../base/semaphore.ts'
import {
  indexKeys,
  manifestKey,
  parseSnapshotName,
  snapshotName,
  snapshotsPrefix,
} from '../destination/layout.ts'
import type { ObjectMetadata, ObjectReader } from '../store/object-store.ts'
import { SnapshotError, type SnapshotErrorCode } from './errors.ts'
import { largestManifest, type Manifest, parseManifest } from './manifest.ts'

/** One snapshot of a repository, as its manifest tells. */
export interface CatalogEntry {
  readonly number: number
  /** `snap.N`. */
  readonly name: string
  /** Of the manifest: another etag is another state. '' when there is none. */
  readonly manifestEtag: string
  readonly manifest: Manifest | undefined
  /** The manifest of a foreign snapshot where it is no JSON: only what it is as an object is known. */
  readonly opaqueManifest?: ObjectMetadata | undefined
  /** Why its tree cannot be shown; `foreign` when something else wrote it. */
  readonly problem: SnapshotError | undefined
}

/** Manifests fetched at a time. */
const manifestConcurrency = 16

/**
 * The snapshots of a repository (prefix of its keys), by number: one listing and one GET for each manifest that `known` does not
 * have yet. What is wrong with one snapshot is said in its entry; only the store failing rejects.
 */
export async function listSnapshots(
  store: ObjectReader,
  repository: string,
  { signal, known = [] }: Abortable & { readonly known?: readonly CatalogEntry[] } = {},
): Promise<CatalogEntry[]> {
  const manifests = new Map<number, ObjectMetadata | undefined>()
  const prefix = snapshotsPrefix(repository)
  for await (const { objects } of store.list(prefix, { signal })) {
    for (const object of objects) {
      const [folder = '', ...rest] = object.key.slice(repository.length).split('/')
      const number = parseSnapshotName(folder)
      if (number === undefined || rest.length === 0) continue
      if (rest.join('/') === 'jetbackup.index') manifests.set(number, object)
      else if (!manifests.has(number)) manifests.set(number, undefined)
    }
  }
  const places = new Semaphore(manifestConcurrency)
  const entries = [...manifests].map(async ([number, listed]) => {
    const etag = listed?.etag ?? ''
    const same = known.find((entry) => entry.number === number && entry.manifestEtag === etag)
    if (same !== undefined) return same
    using _place = await places.acquire({ signal })
    return readEntry(store, repository, number, listed, { signal })
  })
  return (await Promise.all(entries)).sort((a, b) => a.number - b.number)
}

/** Reads one snapshot's entry anew; undefined when it has no manifest any more. */
export async function readSnapshot(
  store: ObjectReader,
  repository: string,
  number: number,
  options: Abortable = {},
): Promise<CatalogEntry | undefined> {
  const listed = await store.head(manifestKey(repository, number), options)
  const entry = await readEntry(store, repository, number, listed, options)
  return entry.problem?.code === 'no-manifest' ? undefined : entry
}

/** The snapshot `latest` stands for: the one created last, of several the one with the greatest number. */
export function newestSnapshot(entries: readonly CatalogEntry[]): CatalogEntry | undefined {
  let newest: CatalogEntry | undefined
  for (const entry of entries) {
    if (entry.manifest === undefined && entry.opaqueManifest === undefined) continue
    if (newest === undefined || createdOf(entry) >= createdOf(newest)) newest = entry
  }
  return newest
}

/**
 * Why a repository is only read: a snapshot that something else wrote, or, where none is known to be one of jbfs, one whose manifest is none that jbfs understands.
 */
export function foreignAmong(entries: readonly CatalogEntry[]): CatalogEntry | undefined {
  const withProblem = (code: SnapshotErrorCode): CatalogEntry | undefined =>
    entries.find(({ problem }) => problem?.code === code)
  const hasOwn = entries.some(({ manifest }) => manifest?.jbfs !== undefined)
  return withProblem('foreign') ?? (hasOwn ? undefined : withProblem('bad-manifest'))
}

/** Epoch seconds: when a snapshot was made, or at least put there; 0: unknown. */
export function createdOf({ manifest, opaqueManifest }: CatalogEntry): number {
  return manifest?.created ?? Math.floor((opaqueManifest?.modified ?? 0) / 1000)
}

async function readEntry(
  store: ObjectReader,
  repository: string,
  number: number,
  listed: ObjectMetadata | undefined,
  { signal }: Abortable,
): Promise<CatalogEntry> {
  const name = snapshotName(number)
  const entry = { number, name, manifestEtag: listed?.etag ?? '', manifest: undefined }
  const problem = (code: SnapshotErrorCode, text: string, cause?: unknown): CatalogEntry => ({
    ...entry,
    problem: new SnapshotError(code, `${repository}${name}${text}`, { cause }),
  })
  const isTooLarge = listed !== undefined && listed.size > largestManifest
  const range = isTooLarge ? { offset: 0, length: headLength } : undefined
  const body = listed && (await store.get(manifestKey(repository, number), { range, signal }))
  if (body === undefined) return problem('no-manifest', ' has no manifest (jetbackup.index)')
  entry.manifestEtag = body.etag
  // The vendor's is JSON; whoever else writes here may have a database in its place.
  if (isForeignManifest(body.bytes))
    return { ...entry, opaqueManifest: metadataOf(body), problem: foreign(repository, name) }
  if (isTooLarge) return problem('bad-manifest', `: its manifest has ${listed.size} bytes`)
  try {
    const manifest = parseManifest(body.bytes)
    if (manifest.jbfs === undefined) return { ...entry, manifest, problem: foreign(repository, name) }
    const isOwn = indexKeys('', number).some((key) => key === manifest.jbfs?.index.key)
    return isOwn
      ? { ...entry, manifest, problem: undefined }
      : problem('bad-manifest', ': its manifest names a file index that is not its own')
  } catch (error) {
    // Whatever somebody has written there: one manifest must not hide the others.
    const code = error instanceof SnapshotError ? error.code : 'bad-manifest'
    return problem(code, `: ${messageOf(error)}`, error)
  }
}

function isForeignManifest(bytes: Buffer): boolean {
  return containerOf(bytes) !== 'plain' || contentOf(bytes) === 'sqlite'
}

function metadataOf({ key, size, etag, modified }: ObjectMetadata): ObjectMetadata {
  return { key, size, etag, modified }
}

function foreign(repository: string, name: string): SnapshotError {
  return new SnapshotError(
    'foreign',
    `${repository}${name} was not written by jbfs: its manifest is shown, its files are not, because the index of its writer is not known`,
  )
}

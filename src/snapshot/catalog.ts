import type { Abortable } from '../base/abort.ts'
import { Semaphore } from '../base/semaphore.ts'
import { manifestKey, parseSnapshotName, snapshotName, snapshotsPrefix } from '../destination/layout.ts'
import type { ObjectReader } from '../store/object-store.ts'
import { SnapshotError } from './errors.ts'
import { type Manifest, parseManifest } from './manifest.ts'

/** One snapshot of a repository, as its manifest tells. */
export interface CatalogEntry {
  readonly number: number
  /** `snap.N`. */
  readonly name: string
  /** Of the manifest: another etag is another state. '' when there is none. */
  readonly manifestEtag: string
  readonly manifest: Manifest | undefined
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
  const etags = new Map<number, string>()
  const prefix = snapshotsPrefix(repository)
  for await (const { objects } of store.list(prefix, { signal })) {
    for (const { key, etag } of objects) {
      const [folder = '', ...rest] = key.slice(repository.length).split('/')
      const number = parseSnapshotName(folder)
      if (number === undefined || rest.length === 0) continue
      if (rest.join('/') === 'jetbackup.index') etags.set(number, etag)
      else if (!etags.has(number)) etags.set(number, '')
    }
  }
  const places = new Semaphore(manifestConcurrency)
  const entries = [...etags].map(async ([number, etag]) => {
    const same = known.find((entry) => entry.number === number && entry.manifestEtag === etag)
    if (same !== undefined) return same
    using _place = await places.acquire({ signal })
    return readEntry(store, repository, number, etag, { signal })
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
  const entry = await readEntry(store, repository, number, 'any', options)
  return entry.problem?.code === 'no-manifest' ? undefined : entry
}

/** The snapshot `latest` stands for: the one created last, of several the one with the greatest number. */
export function newestSnapshot(entries: readonly CatalogEntry[]): CatalogEntry | undefined {
  let newest: CatalogEntry | undefined
  for (const entry of entries) {
    if (entry.manifest === undefined) continue
    if (newest?.manifest === undefined || entry.manifest.created >= newest.manifest.created) newest = entry
  }
  return newest
}

async function readEntry(
  store: ObjectReader,
  repository: string,
  number: number,
  listedEtag: string,
  { signal }: Abortable,
): Promise<CatalogEntry> {
  const name = snapshotName(number)
  const body = listedEtag === '' ? undefined : await store.get(manifestKey(repository, number), { signal })
  const common = { number, name, manifestEtag: body?.etag ?? '' }
  if (body === undefined) {
    const problem = new SnapshotError('no-manifest', `${repository}${name} has no manifest (jetbackup.index)`)
    return { ...common, manifest: undefined, problem }
  }
  try {
    const manifest = parseManifest(body.bytes)
    return {
      ...common,
      manifest,
      problem: manifest.jbfs === undefined ? foreign(repository, name) : undefined,
    }
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error
    const problem = new SnapshotError(error.code, `${repository}${name}: ${error.message}`, { cause: error })
    return { ...common, manifest: undefined, problem }
  }
}

function foreign(repository: string, name: string): SnapshotError {
  return new SnapshotError(
    'foreign',
    `${repository}${name} was not written by jbfs: its manifest is shown, its files are not, because the index of its writer is not known`,
  )
}

import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/abort.ts'
import { codeOf, messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { Semaphore } from '../base/semaphore.ts'
import { largestSnapshotNumber, snapshotName } from '../destination/layout.ts'
import { type CatalogEntry, foreignAmong, listSnapshots } from '../snapshot/catalog.ts'
import { ContentStore, extentsOf } from '../snapshot/content-store.ts'
import { SnapshotError } from '../snapshot/errors.ts'
import { displayFileName } from '../snapshot/file-name.ts'
import { learnObjects } from '../snapshot/learn-objects.ts'
import { largestManifest, type RootAttributes } from '../snapshot/manifest.ts'
import { ObjectIds } from '../snapshot/object-id.ts'
import { publishSnapshot } from '../snapshot/publish.ts'
import type { Extent } from '../snapshot/tree.ts'
import { WorkingIndex } from '../snapshot/working-index.ts'
import { writeIndex } from '../snapshot/write-index.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { ImportError } from './errors.ts'
import { ManifestDraft } from './manifest-draft.ts'
import type { ImportSource, SourceContent, SourceEntry } from './source.ts'
import { makeTemporaryFolder } from './temporary-folder.ts'

export interface ImportOptions extends Abortable {
  /** Called when the destination is known to take the snapshot: an archive is unpacked by it. */
  readonly openSource: (options: { readonly signal: AbortSignal }) => Promise<ImportSource>
  readonly store: ObjectStore
  /** Prefix of the repository's keys. */
  readonly repository: string
  /** N of the new snapshot; the next free one when left out. */
  readonly number?: number | undefined
  /** Epoch seconds; that of the source's own manifest, else of its top folder, when left out. */
  readonly created?: number | undefined
  readonly account?: string | undefined
  /** Write into a repository with snapshots that jbfs did not write. */
  readonly intoForeign?: boolean | undefined
  /** Files read and sent at a time. */
  readonly concurrency?: number | undefined
  /** Indexes of the repository's other snapshots are kept here, to know which objects it has. */
  readonly cacheDir: string
  readonly onProgress?: ((progress: ImportProgress) => void) | undefined
  /** Called right before the snapshot can be seen; what it rejects with ends the import, and nothing is published. */
  readonly beforePublish?: (() => Promise<void>) | undefined
  readonly logger: Logger
  /** As the manifest names it. */
  readonly writer: string
}

/** Counts so far, of files that are done. */
export interface ImportProgress {
  files: number
  /** st_size of regular files. */
  bytes: number
  uploadedFiles: number
  uploadedBytes: number
  /** Regular files whose bytes the repository had already. */
  reusedFiles: number
}

export interface ImportResult extends ImportProgress {
  readonly number: number
  readonly folders: number
}

const defaultConcurrency = 32
/** A file that goes on changing is read so often. */
const changeTries = 3

/**
 * Makes a snapshot of a source: contents first, then the index, then the manifest; nobody sees anything before that last step. When it is
 * aborted, or fails, only objects that nothing refers to stay behind. Rejects with `ImportError`, `SnapshotError` (`snapshot-exists`) or `StoreError`.
 */
export async function importSnapshot(options: ImportOptions): Promise<ImportResult> {
  const { store, repository, logger } = options
  const signal = options.signal ?? new AbortController().signal
  const others = await listSnapshots(store, repository, { signal })
  refuseForeign(options, others)
  refuseTaken(options, others)
  await using source = await options.openSource({ signal })
  const folder = await makeTemporaryFolder('jbfs-import-')
  try {
    using working = new WorkingIndex(join(folder, 'working.sqlite'))
    const contents = new ContentStore({
      store,
      repository,
      ids: new ObjectIds(),
      zerosAreHoles: source.losesHoles,
    })
    await learnObjects(contents, { ...options, signal }, others)
    const draft = new ManifestDraft(logger)
    const filling = new Filling(working, contents, draft, options)
    await filling.run(source, signal)
    const indexPath = join(folder, 'index.sqlite')
    const totals = writeIndex(working, indexPath)
    const root = filling.root(source, totals)
    const number = await publish(options, others, (number) =>
      publishSnapshot({
        store,
        repository,
        number,
        indexPath,
        totals: { ...totals, writer: options.writer, root },
        beforeManifest: options.beforePublish,
        signal,
        ...draft.manifest({
          created: options.created,
          account: options.account,
          folderTime: root.mtime.seconds,
          repository,
        }),
      }),
    )
    return { ...filling.progress, number, folders: totals.folders }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** An inode that is no folder. */
interface AddedFile {
  /** Provisional. */
  readonly ino: number
  /** st_size of a regular file, else 0. */
  readonly size: number
}

/** Takes in a source's entries: folders at once, contents several at a time. */
class Filling {
  readonly progress: ImportProgress = {
    files: 0,
    bytes: 0,
    uploadedFiles: 0,
    uploadedBytes: 0,
    reusedFiles: 0,
  }
  readonly #working: WorkingIndex
  readonly #contents: ContentStore
  readonly #draft: ManifestDraft
  readonly #options: ImportOptions
  /** Path → number of a folder. */
  readonly #folders = new Map<string, number>()
  /** Inodes with several names, once they have a number. */
  readonly #links = new Map<string, Promise<AddedFile>>()
  readonly #objects = new Set<string>()
  #root: SourceEntry | undefined

  constructor(working: WorkingIndex, contents: ContentStore, draft: ManifestDraft, options: ImportOptions) {
    this.#working = working
    this.#contents = contents
    this.#draft = draft
    this.#options = options
  }

  async run(source: ImportSource, signal: AbortSignal): Promise<void> {
    const places = new Semaphore(this.#options.concurrency ?? defaultConcurrency)
    const failure = new AbortController()
    const onAbort = (): void => failure.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const running = new Set<Promise<void>>()
    try {
      for await (const entry of source.entries({ signal: failure.signal })) {
        failure.signal.throwIfAborted()
        const place = await places.acquire({ signal: failure.signal })
        const work = this.#take(entry, failure.signal).finally(() => place[Symbol.dispose]())
        running.add(work)
        work.then(
          () => running.delete(work),
          (error: unknown) => failure.abort(error),
        )
      }
      await Promise.all(running)
      failure.signal.throwIfAborted()
    } catch (error) {
      await Promise.allSettled(running)
      throw failure.signal.aborted ? failure.signal.reason : error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** The top folder as the manifest shows it. */
  root({ description }: ImportSource, { folders }: { readonly folders: number }): RootAttributes {
    if (this.#root === undefined || folders === 0)
      throw new ImportError('bad-source', `${description} is empty`)
    const { mode, uid, gid, mtime, ctime, xattrs = [] } = this.#root.inode
    const top = [...this.#folders.keys()].filter((path) => path !== '' && !path.includes('/'))
    return { mode, uid, gid, mtime, ctime, nlink: 2 + top.length, xattrs: xattrs.length }
  }

  async #take(entry: SourceEntry, signal: AbortSignal): Promise<void> {
    const { path, link } = entry
    const key = path.join('/')
    const isFolder = (entry.inode.mode & 0o170000) === 0o040000
    if (isFolder) {
      if (path.length === 0) this.#root = entry
      // Before anything is awaited: what is in it comes next.
      const ino = this.#working.addInode(entry.inode)
      this.#folders.set(key, ino)
      if (path.length > 0) this.#name(entry, ino)
      this.#draft.addFolder(path)
      return
    }
    const first = link === undefined ? undefined : this.#links.get(link)
    const adding = first ?? this.#addFile(entry, signal)
    if (link !== undefined) {
      this.#links.set(link, adding)
      adding.catch(() => {})
    }
    const { ino, size } = await adding
    this.#name(entry, ino)
    this.#draft.addFile(path, size)
  }

  #name({ path }: SourceEntry, ino: number): void {
    const parent = this.#folders.get(path.slice(0, -1).join('/'))
    const name = path.at(-1)
    if (parent === undefined || name === undefined)
      throw new ImportError('bad-source', `${displayPath(path)} comes before the folder it is in`)
    try {
      this.#working.addDentry(parent, name, ino)
    } catch (error) {
      throw new ImportError('bad-source', `${displayPath(path)} is there twice (${messageOf(error)})`, {
        cause: error,
      })
    }
  }

  async #addFile(entry: SourceEntry, signal: AbortSignal): Promise<AddedFile> {
    let current = entry
    for (let attempt = 1; ; attempt++) {
      const { content, path } = current
      if (content === undefined) return this.#addInode(current, {})
      const added = await this.#addContent(current, content, signal)
      if (added !== undefined) return added
      if (attempt === changeTries)
        throw new ImportError(
          'source-changed',
          `${displayPath(path)} went on changing while it was read: import when it is at rest`,
        )
      current = await content.again()
    }
  }

  /** Undefined when the file has changed. */
  async #addContent(
    entry: SourceEntry,
    found: SourceContent,
    signal: AbortSignal,
  ): Promise<AddedFile | undefined> {
    await using content = await found.open()
    if (content === undefined) return undefined
    if (content.ranges.length === 0) return this.#addInode(entry, {})
    const stored = await this.#contents.add(content, signal)
    if (stored === undefined) return undefined
    const { object, ranges, uploaded } = stored
    if (object === undefined) return this.#addInode(entry, {})
    if (uploaded) {
      this.progress.uploadedFiles++
      this.progress.uploadedBytes += object.size
    } else this.progress.reusedFiles++
    const { path, inode } = entry
    if (path.length === 1 && path[0] === 'jetbackup.index' && inode.size <= largestManifest)
      this.#draft.setBase(await readFile(content.path))
    if (!this.#objects.has(object.id)) {
      this.#objects.add(object.id)
      this.#working.addObject(object)
    }
    const extents = object.size < inode.size ? extentsOf(ranges) : undefined
    return this.#addInode(entry, { object: object.id, extents })
  }

  #addInode(
    { inode }: SourceEntry,
    content: { object?: string; extents?: readonly Extent[] | undefined },
  ): AddedFile {
    const isRegular = (inode.mode & 0o170000) === 0o100000
    // A file without an object but with a size is one hole.
    const extents =
      content.extents ?? (isRegular && content.object === undefined && inode.size > 0 ? [] : undefined)
    const ino = this.#working.addInode({ ...inode, object: content.object, extents })
    const size = isRegular ? inode.size : 0
    this.progress.files++
    this.progress.bytes += size
    this.#options.onProgress?.(this.progress)
    return { ino, size }
  }
}

function displayPath(path: SourceEntry['path']): string {
  return path.map(displayFileName).join('/')
}

function refuseForeign({ repository, intoForeign }: ImportOptions, others: readonly CatalogEntry[]): void {
  const foreign = foreignAmong(others)
  if (foreign !== undefined && intoForeign !== true)
    throw new ImportError(
      'foreign-repository',
      `${repository}${foreign.name} was not written by jbfs: choose another repository, or --into-foreign if you know that its writer allows it`,
    )
}

function refuseTaken({ number, repository }: ImportOptions, others: readonly CatalogEntry[]): void {
  if (number !== undefined && others.some((other) => other.number === number))
    throw new SnapshotError(
      'snapshot-exists',
      `${repository}${snapshotName(number)} exists already: choose another number`,
    )
}

/** With a number that was not asked for, another import may take it first: then the next one is tried. */
async function publish(
  { number }: ImportOptions,
  others: readonly CatalogEntry[],
  attempt: (number: number) => Promise<unknown>,
): Promise<number> {
  const greatest = others.reduce((greatest, other) => Math.max(greatest, other.number), 0)
  for (let next = number ?? greatest + 1; ; next++) {
    if (next > largestSnapshotNumber)
      throw new SnapshotError('bad-name', 'there are no free snapshot numbers left')
    try {
      await attempt(next)
      return next
    } catch (error) {
      if (number !== undefined || codeOf(error) !== 'snapshot-exists') throw error
    }
  }
}

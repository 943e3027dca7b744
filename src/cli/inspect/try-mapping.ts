import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../../base/abort.ts'
import { formatByteSize } from '../../base/byte-size.ts'
import type { Logger } from '../../base/log.ts'
import type { Fault } from '../../foreign/faults.ts'
import { type MappingProgress, openMappedSnapshot } from '../../foreign/mapped-snapshot.ts'
import type { MappedTree } from '../../foreign/mapped-tree.ts'
import type { Mapping } from '../../foreign/mapping.ts'
import { type LedgerEntry, ObjectLedger } from '../../foreign/object-ledger.ts'
import { listSnapshots } from '../../snapshot/catalog.ts'
import { displayFileName } from '../../snapshot/file-name.ts'
import { type FileName, type Ino, type Inode, isFolderMode } from '../../snapshot/tree.ts'
import type { ObjectReader } from '../../store/object-store.ts'
import { CliError } from '../errors.ts'

export interface TryOptions extends Abortable {
  readonly store: ObjectReader
  /** Prefix of the repository's keys. */
  readonly repository: string
  /** N of the snapshot; undefined: the greatest. */
  readonly number: number | undefined
  readonly mapping: Mapping
  readonly cacheDir: string
  readonly logger: Logger
  readonly onStep: (text: string) => void
}

/** What a mapping makes of a snapshot, and what does not fit. */
export interface Trial {
  readonly snapshot: string
  readonly rows: number
  readonly files: number
  readonly folders: number
  /** Sum over the files. */
  readonly bytes: number
  /** The first of what is in the tree, in its order. */
  readonly tree: readonly TriedEntry[]
  readonly faults: readonly Fault[]
  readonly objects: TriedObjects
}

export interface TriedEntry {
  /** Below the snapshot; a folder's ends in a slash. */
  readonly path: string
  readonly mode: number
  readonly size: number
  /** Seconds since 1970. */
  readonly mtime: number
  readonly target: string | undefined
}

export interface TriedObjects {
  readonly count: number
  readonly missing: TriedFault
  readonly wrongSize: TriedFault
  /** Of some of those that are there: how many were read, and those that are not what their rows say. */
  readonly read: number
  readonly altered: TriedFault
}

export interface TriedFault {
  readonly count: number
  /** Keys of some of them. */
  readonly examples: readonly string[]
}

/** Entries that are shown, of all and of one folder. */
const shownEntries = 40
const shownOfFolder = 8
/** Objects that are read to see whether they are packed as the mapping says, up to so many bytes each. */
const readObjectsCount = 12
const largestRead = 1 << 20
const shownKeys = 5

/** Rejects with `SnapshotError` when no tree can be made at all. */
export async function tryMapping(options: TryOptions): Promise<Trial> {
  const { store, repository, cacheDir, signal, onStep } = options
  const entries = await listSnapshots(store, repository, { signal })
  const entry =
    options.number === undefined ? entries.at(-1) : entries.find(({ number }) => number === options.number)
  if (entry === undefined)
    throw new CliError('nothing-there', `there is no such snapshot in ${store.description}`)
  const onProgress = (progress: MappingProgress): void => onStep(progressText(progress))
  using tree = await openMappedSnapshot({ ...options, entry, onProgress })
  const { faults, ...counts } = tree.source
  const temporary = await mkdtemp(join(cacheDir, 'try-'))
  try {
    using ledger = new ObjectLedger(join(temporary, 'objects'))
    const objects = await lookAtObjects(tree, ledger, entry.number, options)
    return { snapshot: entry.name, ...counts, tree: shownOf(tree), faults, objects }
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

function progressText({ bytes, rows }: MappingProgress): string {
  return rows === 0 ? `fetching the database: ${formatByteSize(bytes)}` : `making an index: ${rows} rows`
}

async function lookAtObjects(
  tree: MappedTree,
  ledger: ObjectLedger,
  number: number,
  { store, repository, signal, onStep }: TryOptions,
): Promise<TriedObjects> {
  for (const object of tree.objects()) ledger.refer(object, number)
  await ledger.look(store, repository, { signal, onListed: (count) => onStep(`listing objects: ${count}`) })
  const wrong = [...ledger.entries('wrong')]
  const keys = (entries: readonly LedgerEntry[]): TriedFault => ({
    count: entries.length,
    examples: entries.slice(0, shownKeys).map(({ key }) => key.slice(repository.length)),
  })
  const { read, altered } = await readSome(ledger, store, { signal })
  return {
    count: ledger.total().count,
    missing: keys(wrong.filter(({ found }) => found === undefined)),
    wrongSize: keys(wrong.filter(({ found }) => found !== undefined)),
    read,
    altered: keys(altered),
  }
}

async function readSome(
  ledger: ObjectLedger,
  store: ObjectReader,
  { signal }: Abortable,
): Promise<{ readonly read: number; readonly altered: readonly LedgerEntry[] }> {
  const { readObjects } = await import('../../maintenance/read-objects.ts')
  const chosen: LedgerEntry[] = []
  for (const entry of ledger.entries('all')) {
    const isRight = entry.found !== undefined && (entry.packing !== undefined || entry.found === entry.size)
    if (isRight && entry.size <= largestRead) chosen.push(entry)
    if (chosen.length === readObjectsCount) break
  }
  const altered: LedgerEntry[] = []
  await readObjects(store, chosen, {
    concurrency: 4,
    signal,
    onBytes: () => {},
    onVerdict: (entry, verdict) => void (verdict !== 'good' && altered.push(entry)),
  })
  return { read: chosen.length, altered }
}

/** The first entries of each folder, until enough are shown. */
function shownOf(tree: MappedTree): TriedEntry[] {
  const shown: TriedEntry[] = []
  const visit = (folder: Ino, path: string): void => {
    let count = 0
    for (const { name, inode } of tree.entries(folder, 0)) {
      if (count++ === shownOfFolder || shown.length >= shownEntries) return
      const isFolder = isFolderMode(inode.mode)
      const entryPath = `${path}${displayFileName(name)}${isFolder ? '/' : ''}`
      shown.push(triedEntry(entryPath, inode))
      if (isFolder) visit(inode.ino, entryPath)
    }
  }
  visit(tree.root, '')
  return shown
}

function triedEntry(path: string, { mode, size, mtime, target }: Inode): TriedEntry {
  const shownTarget = target === undefined ? undefined : displayFileName(target as FileName)
  return { path, mode, size, mtime: mtime.seconds, target: shownTarget }
}

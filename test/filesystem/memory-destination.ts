import { silentLogger } from '../../src/base/log.ts'
import type { BlobSource } from '../../src/cache/blob-source.ts'
import {
  type Change,
  DestinationTree,
  type DestinationTreeOptions,
} from '../../src/filesystem/destination-tree.ts'
import { SnapshotFilesystem } from '../../src/filesystem/snapshot-filesystem.ts'
import type { DirectorySink, Entry, FuseOperations, RequestContext } from '../../src/fuse/operations.ts'
import { listSnapshots } from '../../src/snapshot/catalog.ts'
import { type Manifest, serializeManifest } from '../../src/snapshot/manifest.ts'
import { manifest, totals } from '../snapshot/publish-sample.ts'
import { MemoryReader } from '../support/memory-reader.ts'

export const context: RequestContext = { signal: new AbortController().signal }

/** The manifest of `snap.N`; another `created` is another state of it. */
export function manifestText(created: number, number = 1): string {
  const sha256 = created.toString(16).padStart(64, '0')
  const index = { key: `export/snap.${number}`, encoding: 'zstd', size: 10, rawSize: 20, sha256 } as const
  const complete: Omit<Manifest, 'bytes'> = { ...manifest, created, jbfs: { format: 1, ...totals, index } }
  return serializeManifest(complete).toString()
}

export interface MemoryDestination {
  readonly reader: MemoryReader
  readonly tree: DestinationTree
  readonly filesystem: SnapshotFilesystem
  /** Of each change: the folder's prefix, and the names. */
  readonly changes: [string, readonly string[]][]
  readonly warnings: string[]
}

/** What a mount is made of, without a kernel, over objects in memory. */
export function memoryDestination(
  objects: Readonly<Record<string, string>>,
  {
    openTree,
    source,
    local,
  }: Partial<Pick<DestinationTreeOptions, 'openTree' | 'local'> & { source: BlobSource }> = {},
): MemoryDestination {
  const reader = new MemoryReader(objects)
  const changes: [string, readonly string[]][] = []
  const warnings: string[] = []
  const tree = new DestinationTree({
    reader,
    listSnapshots: (repository, { known }) => listSnapshots(reader, repository, { known }),
    local,
    openTree: openTree ?? (() => Promise.reject(new Error('no tree here'))),
    onChange: ({ folder, names }: Change) => {
      const node = tree.node(folder)
      changes.push([node?.kind === 'folder' ? node.prefix : '?', names])
    },
    logger: { ...silentLogger, warn: (_, message) => void warnings.push(message) },
  })
  const filesystem = new SnapshotFilesystem({
    tree,
    source: source ?? { read: () => [], prefetch: () => 0 },
    dropPages: () => {},
    uid: 5,
    gid: 6,
  })
  return { reader, tree, filesystem, changes, warnings }
}

/** Takes `room` entries at a time, and counts lookups as READDIRPLUS does. */
export class RoomySink implements DirectorySink {
  readonly taken: { readonly name: string; readonly cookie: number; readonly entry?: Entry }[] = []
  readonly #room: number

  constructor(room: number) {
    this.#room = room
  }

  add(name: string, cookie: number, entry: Entry): 'counted' | 'full' {
    if (this.taken.length >= this.#room) return 'full'
    this.taken.push({ name, cookie, entry })
    return 'counted'
  }

  addHere(name: '.' | '..', cookie: number): boolean {
    if (this.taken.length >= this.#room) return false
    this.taken.push({ name, cookie })
    return true
  }
}

/** The entry at a path below the top folder; undefined when there is none. */
export async function entryAt(filesystem: FuseOperations, path: string): Promise<Entry | undefined> {
  let entry: Entry | undefined
  let nodeid = 1
  for (const name of path.split('/')) {
    entry = await filesystem.lookup(nodeid, name, context)
    if (entry === undefined) return undefined
    nodeid = entry.attr.ino
  }
  return entry
}

/** The names in a folder, read `room` at a time; `between` runs after each part. */
export async function namesIn(
  filesystem: FuseOperations,
  nodeid: number,
  { room = 1, between = async () => {} }: { room?: number; between?: () => Promise<void> } = {},
): Promise<string[]> {
  const names: string[] = []
  for (let cookie = 0; ; ) {
    const sink = new RoomySink(room)
    await filesystem.readdir(nodeid, cookie, sink, context)
    const last = sink.taken.at(-1)
    if (last === undefined) return names
    names.push(...sink.taken.map(({ name }) => name))
    cookie = last.cookie
    await between()
  }
}

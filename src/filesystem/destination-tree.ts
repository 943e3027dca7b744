import { type Abortable, orAborted } from '../base/abort.ts'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { ownerKey, repositoryParts } from '../destination/layout.ts'
import { FuseError } from '../fuse/errno.ts'
import { type CatalogEntry, newestSnapshot } from '../snapshot/catalog.ts'
import { fileNameOfText } from '../snapshot/file-name.ts'
import type { ObjectMetadata, ObjectReader } from '../store/object-store.ts'
import type { Child, Folder, LatestLink, Listing, ManifestFile, Node, ObjectFile } from './folder.ts'
import { slotLimit } from './inode-number.ts'
import { MountedSnapshot, type OpenTree } from './mounted-snapshot.ts'

export interface DestinationTreeOptions {
  readonly reader: ObjectReader
  /** The repository's snapshots; those in `known` whose manifest is the same are not fetched again. */
  readonly listSnapshots: (
    repository: string,
    options: { readonly known: readonly CatalogEntry[] },
  ) => Promise<readonly CatalogEntry[]>
  readonly openTree: OpenTree
  readonly logger: Logger
}

/** What a refresh found to be different in one folder. */
export interface Change {
  readonly folder: number
  /** Names that stand for something else now, or for nothing. */
  readonly names: readonly string[]
}

const rootNodeid = 1
const latestName = 'latest'

/**
 * Slot 0 of the mount: the backup directory, listed folder by folder as it is looked into, never by scanning `files/`. It hands out
 * nodeids and slots, and notices what is published later.
 */
export class DestinationTree {
  readonly root: Folder
  readonly #options: DestinationTreeOptions
  readonly #nodes = new Map<number, Node>()
  readonly #snapshots = new Map<number, MountedSnapshot>()
  readonly #listing = new Map<Folder, Promise<Listing>>()
  readonly #manifestFiles = new WeakMap<MountedSnapshot, ManifestFile>()
  readonly #started = Date.now()
  #lastNodeid = 0
  #lastSlot = 0
  #lastSerial = 0

  constructor(options: DestinationTreeOptions) {
    this.#options = options
    this.root = this.#addFolder('', rootNodeid)
  }

  node(nodeid: number): Node | undefined {
    return this.#nodes.get(nodeid)
  }

  snapshot(slot: number): MountedSnapshot | undefined {
    return this.#snapshots.get(slot)
  }

  snapshots(): Iterable<MountedSnapshot> {
    return this.#snapshots.values()
  }

  /** What a folder holds, asked of the store the first time only; `refresh` keeps it up to date. */
  listing(folder: Folder, { signal }: Abortable): Listing | Promise<Listing> {
    folder.touched = true
    if (folder.listing !== undefined) return folder.listing
    let pending = this.#listing.get(folder)
    if (pending === undefined) {
      pending = this.#list(folder).finally(() => this.#listing.delete(folder))
      this.#listing.set(folder, pending)
    }
    return orAborted(pending, signal)
  }

  /** The file that shows a snapshot's manifest; undefined when it has none. */
  manifestFile(snapshot: MountedSnapshot): ManifestFile | undefined {
    const known = this.#manifestFiles.get(snapshot)
    if (known !== undefined) return known
    const { manifest } = snapshot.entry
    if (manifest === undefined) return undefined
    const file = this.#addNode<ManifestFile>({
      kind: 'manifest',
      nodeid: this.#nextNodeid(),
      bytes: manifest.bytes,
      created: manifest.created,
    })
    this.#manifestFiles.set(snapshot, file)
    return file
  }

  /** Lists again the folders that were looked into since the last time, and says what is different. */
  async refresh(options: Abortable): Promise<Change[]> {
    const changes: Change[] = []
    for (const node of [...this.#nodes.values()]) {
      if (node.kind !== 'folder' || node.listing === undefined || !node.touched) continue
      node.touched = false
      const before = node.listing
      try {
        const after = await orAborted(this.#list(node), options.signal)
        const names = differences(before, after)
        if (names.length > 0) changes.push({ folder: node.nodeid, names })
      } catch (error) {
        options.signal?.throwIfAborted()
        // What was listed before goes on being shown: better a little old than not at all.
        this.#options.logger.warn(
          { folder: node.prefix, error: messageOf(error) },
          'a folder could not be listed again',
        )
      }
    }
    for (const [slot, snapshot] of this.#snapshots) if (snapshot.isGone) this.#snapshots.delete(slot)
    return changes
  }

  close(): void {
    for (const snapshot of this.#snapshots.values()) snapshot.close()
  }

  async #list(folder: Folder): Promise<Listing> {
    const prefixes: string[] = []
    const objects: ObjectMetadata[] = []
    for await (const page of this.#options.reader.list(folder.prefix, { delimiter: '/' })) {
      prefixes.push(...page.prefixes)
      objects.push(...page.objects)
    }
    const parts = repositoryParts(prefixes.map((prefix) => prefix.slice(folder.prefix.length, -1)))
    const children = new Map<string, Child>()
    const add = (name: string, target: (before: Child | undefined) => Child['target']): void => {
      const bytes = fileNameOfText(name)
      if (bytes === undefined) {
        this.#options.logger.warn(
          { folder: folder.prefix, name },
          'a name in the store cannot be shown as a file name',
        )
        return
      }
      const before = folder.listing?.children.get(bytes)
      const is = target(before)
      children.set(
        bytes,
        before?.target === is ? before : { name: bytes, serial: ++this.#lastSerial, target: is },
      )
    }
    if (parts.isRepository) {
      const entries = await this.#options.listSnapshots(folder.prefix, { known: knownEntries(folder) })
      for (const entry of entries)
        add(entry.name, (before) => this.#snapshotOf(folder, entry, before?.target))
      const newest = newestSnapshot(entries)
      if (newest !== undefined) add(latestName, (before) => this.#latest(newest, before?.target))
    }
    for (const name of parts.folders) add(name, (before) => this.#folderOf(folder, name, before?.target))
    for (const object of objects) {
      const name = object.key.slice(folder.prefix.length)
      if (name !== '' && name !== ownerKey) add(name, (before) => this.#objectOf(object, before?.target))
    }
    this.#dropMissing(folder.listing, children)
    const same = folder.listing !== undefined && differences(folder.listing, { children }).length === 0
    const listing: Listing = {
      children,
      isRepository: parts.isRepository,
      changed: same && folder.listing ? folder.listing.changed : Date.now(),
    }
    folder.listing = listing
    return listing
  }

  #snapshotOf(folder: Folder, entry: CatalogEntry, before: Child['target'] | undefined): MountedSnapshot {
    if (before instanceof MountedSnapshot && before.entry.manifestEtag === entry.manifestEtag) {
      before.retry()
      return before
    }
    if (this.#lastSlot + 1 >= slotLimit) throw new FuseError('ENOSPC')
    const { openTree, logger } = this.#options
    const snapshot = new MountedSnapshot({
      slot: ++this.#lastSlot,
      repository: folder.prefix,
      parent: folder.nodeid,
      entry,
      openTree,
      logger,
    })
    this.#snapshots.set(snapshot.slot, snapshot)
    return snapshot
  }

  #latest({ name, manifest }: CatalogEntry, before: Child['target'] | undefined): LatestLink {
    const created = manifest?.created ?? 0
    if (isNode(before, 'link') && before.target === name && before.created === created) return before
    return this.#addNode<LatestLink>({ kind: 'link', nodeid: this.#nextNodeid(), target: name, created })
  }

  #folderOf(parent: Folder, name: string, before: Child['target'] | undefined): Folder {
    return isNode(before, 'folder') ? before : this.#addFolder(`${parent.prefix}${name}/`, parent.nodeid)
  }

  #objectOf(metadata: ObjectMetadata, before: Child['target'] | undefined): ObjectFile {
    if (isNode(before, 'object') && before.metadata.etag === metadata.etag) return before
    return this.#addNode<ObjectFile>({ kind: 'object', nodeid: this.#nextNodeid(), metadata })
  }

  #addFolder(prefix: string, parent: number): Folder {
    const nodeid = this.#nextNodeid()
    return this.#addNode<Folder>({
      kind: 'folder',
      nodeid,
      parent,
      prefix,
      listing: undefined,
      started: this.#started,
      touched: false,
    })
  }

  #addNode<N extends Node>(node: N): N {
    this.#nodes.set(node.nodeid, node)
    return node
  }

  #nextNodeid(): number {
    return ++this.#lastNodeid
  }

  /** Snapshots that are gone live on while someone is in them; everything else is asked for by name again. */
  #dropMissing(before: Listing | undefined, after: ReadonlyMap<string, Child>): void {
    for (const [name, { target }] of before?.children ?? []) {
      if (after.get(name)?.target === target) continue
      if (target instanceof MountedSnapshot) target.supersede()
      else this.#nodes.delete(target.nodeid)
    }
  }
}

function isNode<K extends Node['kind']>(
  target: Child['target'] | undefined,
  kind: K,
): target is Extract<Node, { kind: K }> {
  return target !== undefined && !(target instanceof MountedSnapshot) && target.kind === kind
}

function knownEntries({ listing }: Folder): CatalogEntry[] {
  return [...(listing?.children.values() ?? [])].flatMap(({ target }) =>
    target instanceof MountedSnapshot ? [target.entry] : [],
  )
}

/** Names whose target is another one, or that are only in one of both. */
function differences(before: Pick<Listing, 'children'>, after: Pick<Listing, 'children'>): string[] {
  const names = new Set([...before.children.keys(), ...after.children.keys()])
  return [...names].filter((name) => before.children.get(name)?.target !== after.children.get(name)?.target)
}

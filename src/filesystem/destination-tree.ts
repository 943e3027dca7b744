import type { Abortable } from '../base/abort.ts'
import type { Logger } from '../base/log.ts'
import { ownerKey, snapshotName } from '../destination/layout.ts'
import { FuseError } from '../fuse/errno.ts'
import { type CatalogEntry, createdOf, newestSnapshot } from '../snapshot/catalog.ts'
import { ChangeError } from '../snapshot/errors.ts'
import { fileNameOfText, textOfFileName } from '../snapshot/file-name.ts'
import type { FileName } from '../snapshot/tree.ts'
import type { WritableSnapshot, WritableSnapshots } from '../snapshot/writable-tree.ts'
import type { ObjectMetadata } from '../store/object-store.ts'
import type { Child, Folder, LatestLink, Listing, Node, ObjectFile } from './folder.ts'
import { FolderListings, type RefreshOptions } from './folder-listings.ts'
import { rootNodeid, slotLimit, slotOf } from './inode-number.ts'
import { type ListFolderOptions, listFolder } from './list-folder.ts'
import { MountedSnapshot, type OpenTree } from './mounted-snapshot.ts'
import { NodeTable } from './node-table.ts'
import { type OwnFile, OwnFiles } from './own-files.ts'

export interface DestinationTreeOptions extends ListFolderOptions {
  readonly openTree: OpenTree
  /** What to do with a snapshot, of these repository and name, whose files are not known. */
  readonly readme?: ((repository: string, name: string) => string) | undefined
  /** What is being changed here, and may not be in the store yet. */
  readonly local?: LocalSnapshots | undefined
  /** Called for each folder that is found to be different, or whose listing is not kept up to date any longer. */
  readonly onChange: (change: Change) => void
  readonly logger: Logger
}

export interface LocalSnapshots extends Pick<WritableSnapshots, 'get' | 'numbers'> {
  /** Prefixes of the repositories that have some. */
  repositories(): readonly string[]
}

/** What the kernel must not answer from its memory any more. */
export interface Change {
  /** Or a file that is none of a snapshot's tree. */
  readonly folder: number
  /** Names that stand for something else now, or for nothing; none where only the listing, or the content, may have become old. */
  readonly names: readonly string[]
}

const latestName = 'latest'
/** It comes first: to `rm -r` it would be gone when all snapshots are. */
const latestSerial = 1

/**
 * Slot 0 of the mount: the backup directory, listed folder by folder as it is looked into, never by scanning `files/`. It hands out
 * nodeids and slots, and what is found later takes the place of what was there.
 */
export class DestinationTree {
  readonly root: Folder
  readonly #options: DestinationTreeOptions
  readonly #nodes = new NodeTable<Node>()
  readonly #snapshots = new Map<number, MountedSnapshot>()
  readonly #listings: FolderListings
  readonly #ownFiles: OwnFiles
  /** Prefixes and names that were complained of: once is enough. */
  readonly #complaints = new Set<string>()
  readonly #started = Date.now()
  #lastSlot = 0
  #lastSerial = latestSerial

  constructor(options: DestinationTreeOptions) {
    this.#options = options
    const { onChange, logger, readme } = options
    const list = (folder: Folder): Promise<Listing> => this.#list(folder)
    this.#listings = new FolderListings({ nodes: this.#nodes, list, onChange, logger })
    this.#ownFiles = new OwnFiles({ nodes: this.#nodes, readme })
    this.root = this.#addFolder('', rootNodeid)
  }

  node(nodeid: number): Node | undefined {
    return this.#nodes.find(nodeid)
  }

  /** Throws ESTALE when there is none any more. */
  knownNode(nodeid: number): Node {
    return this.#nodes.get(nodeid)
  }

  /** Throws ESTALE when there is none any more, ENOTDIR for what is none. */
  folder(nodeid: number): Folder {
    return this.#nodes.folder(nodeid)
  }

  snapshot(slot: number): MountedSnapshot | undefined {
    return this.#snapshots.get(slot)
  }

  /** The snapshot that a node is in. Throws ESTALE when it is gone. */
  snapshotAt(nodeid: number): MountedSnapshot {
    const snapshot = this.#snapshots.get(slotOf(nodeid))
    if (snapshot === undefined) throw new FuseError('ESTALE')
    return snapshot
  }

  snapshots(): Iterable<MountedSnapshot> {
    return this.#snapshots.values()
  }

  /** The kernel has taken back lookups of nodes in this slot. */
  forgotten(slot: number, lookups: number): void {
    const snapshot = this.#snapshots.get(slot)
    if (snapshot === undefined) return
    snapshot.forgotten(lookups)
    this.#removeIfGone(snapshot)
  }

  /** What a folder holds, asked of the store when nobody has yet, or when `refresh` has ceased to keep it up to date. */
  listing(folder: Folder, options: Abortable): Listing | Promise<Listing> {
    return this.#listings.of(folder, options)
  }

  /** The file that shows a snapshot's manifest; undefined when it has none. */
  manifestFile(snapshot: MountedSnapshot): OwnFile | undefined {
    return this.#ownFiles.manifest(snapshot)
  }

  /** The file that says what to do with a snapshot whose files are not known; undefined for any other. */
  readmeFile(snapshot: MountedSnapshot): OwnFile | undefined {
    return this.#ownFiles.readme(snapshot)
  }

  /** Lists again what somebody looks into, and has the kernel forget the rest. */
  refresh(options: RefreshOptions): Promise<void> {
    return this.#listings.refresh(options)
  }

  /** A folder that is nowhere but here until a snapshot is published below it. */
  addFolder(parent: Folder, name: string): void {
    const text = textOfFileName(name as FileName)
    if (text === undefined) throw new ChangeError('bad-place')
    const folder = this.#addFolder(`${parent.prefix}${text}/`, parent.nodeid)
    folder.isLocal = true
    folder.listing = { children: new Map(), changed: Date.now() }
    this.#putChild(parent, name, folder)
  }

  /** A snapshot that was begun in a folder that is listed. */
  addWorking(folder: Folder, number: number, working: WritableSnapshot): void {
    const snapshot = this.#newSnapshot(folder, begunEntry(number))
    snapshot.becomeWorking(working)
    this.#putChild(folder, snapshot.entry.name, snapshot)
  }

  /** A snapshot that was called `name` has another number now, by which a listing may know it already; whoever is in it stays there. */
  renameSnapshot(folder: Folder, name: string, snapshot: MountedSnapshot, number: number): void {
    const children = new Map(folder.listing?.children)
    const former = children.get(name)?.target
    children.delete(name)
    if (snapshot.entry.number !== number)
      snapshot.entry = { ...snapshot.entry, number, name: snapshotName(number) }
    folder.listing = { children, changed: Date.now() }
    this.#putChild(folder, snapshot.entry.name, snapshot)
    if (former !== undefined && former !== snapshot) this.#drop(former)
  }

  /** What has a name in a folder is gone. */
  removeChild(folder: Folder, name: string): void {
    const before = folder.listing
    if (before === undefined) return
    const children = new Map(before.children)
    const child = children.get(name)
    children.delete(name)
    folder.listing = { children, changed: Date.now() }
    if (child !== undefined) this.#drop(child.target)
  }

  /** Lists one folder again, if it was listed: something was published in it, or removed. */
  relist(prefix: string): Promise<void> {
    return this.#listings.relist(prefix)
  }

  close(): void {
    for (const snapshot of this.#snapshots.values()) snapshot.close()
  }

  async #list(folder: Folder): Promise<Listing> {
    const { snapshots: published, folders: stored, objects } = await listFolder(folder, this.#options)
    if (!this.#nodes.has(folder)) throw new FuseError('ESTALE')

    // Nothing waits from here on: the nodes that are made and dropped are those of one listing and the next.
    const entries = [...published, ...this.#unlisted(folder, published)]
    const folders = new Set([...stored, ...this.#localFolders(folder)])
    const before = folder.listing
    const found = new Map<string, Child>()
    const add = (
      name: string,
      targetOf: (known: Child['target'] | undefined) => Child['target'],
      newSerial = () => ++this.#lastSerial,
    ): void => {
      const bytes = fileNameOfText(name)
      if (bytes === undefined || found.has(bytes)) {
        this.#complain(folder, name, bytes === undefined)
        return
      }
      const known = before?.children.get(bytes)
      const target = targetOf(known?.target)
      const serial = known?.serial ?? newSerial()
      found.set(bytes, known?.target === target ? known : { name: bytes, serial, target })
    }
    for (const entry of entries) add(entry.name, (known) => this.#snapshotOf(folder, entry, known))
    const newest = newestSnapshot(entries)
    if (newest !== undefined)
      add(
        latestName,
        (known) => this.#latest(newest, known),
        () => latestSerial,
      )
    for (const name of folders) add(name, (known) => this.#folderOf(folder, name, known))
    for (const object of objects) {
      const name = object.key.slice(folder.prefix.length)
      if (name !== '' && name !== ownerKey) add(name, (known) => this.#objectOf(object, known))
    }
    const children = new Map([...found].sort(([, a], [, b]) => a.serial - b.serial))
    this.#dropMissing(before, children)
    const names = before === undefined ? [] : differences(before, { children })
    const changed = before !== undefined && names.length === 0 ? before.changed : Date.now()
    folder.listing = { children, changed }
    if (names.length > 0) this.#options.onChange({ folder: folder.nodeid, names })
    return folder.listing
  }

  /** Snapshots that are being changed here, and are not in the store yet, or were not when it was asked. */
  #unlisted({ prefix, listing }: Folder, published: readonly CatalogEntry[]): CatalogEntry[] {
    const numbers = this.#options.local?.numbers(prefix) ?? []
    return numbers
      .filter((number) => !published.some((entry) => entry.number === number))
      .map((number) => {
        const shown = showing(listing, this.#options.local?.get(prefix, number))
        return shown?.entry.number === number ? shown.entry : begunEntry(number)
      })
  }

  /** Folders that are nowhere but here: made, or on the way to a snapshot that was begun. */
  #localFolders({ prefix, listing }: Folder): string[] {
    const made = [...(listing?.children ?? [])].flatMap(([name, { target }]) =>
      isNode(target, 'folder') && target.isLocal ? [textOfFileName(name as FileName) ?? name] : [],
    )
    const onTheWay = (this.#options.local?.repositories() ?? [])
      .filter((repository) => repository.startsWith(prefix) && repository !== prefix)
      .map((repository) => repository.slice(prefix.length).split('/')[0] as string)
    return [...made, ...onTheWay]
  }

  #putChild(folder: Folder, name: string, target: Child['target']): void {
    const children = new Map(folder.listing?.children)
    children.set(name, { name, serial: ++this.#lastSerial, target })
    folder.listing = { children, changed: Date.now() }
  }

  #complain(folder: Folder, name: string, isImpossible: boolean): void {
    const key = folder.prefix + name
    if (this.#complaints.has(key)) return
    this.#complaints.add(key)
    this.#options.logger.warn(
      { folder: folder.prefix, name },
      isImpossible
        ? 'a name in the store cannot be shown as a file name'
        : 'two things in the store have one name: only the first is shown',
    )
  }

  #snapshotOf(folder: Folder, entry: CatalogEntry, known: Child['target'] | undefined): MountedSnapshot {
    const working = this.#options.local?.get(folder.prefix, entry.number)
    // Whatever is published of it comes from here; it may have had another number.
    const shown = showing(folder.listing, working)
    if (shown !== undefined) {
      this.#publishedAs(shown, entry)
      return shown
    }
    const isKnown =
      known instanceof MountedSnapshot &&
      known.working === undefined &&
      known.entry.manifestEtag === entry.manifestEtag
    if (isKnown) {
      known.retry()
      return known
    }
    const snapshot = this.#newSnapshot(folder, entry)
    if (working !== undefined) snapshot.becomeWorking(working)
    return snapshot
  }

  /** What is being changed here has been published, maybe once more. */
  #publishedAs(snapshot: MountedSnapshot, entry: CatalogEntry): void {
    snapshot.entry = entry
    const file = this.#ownFiles.renewed(snapshot)
    if (file !== undefined) this.#options.onChange({ folder: file.nodeid, names: [] })
  }

  #newSnapshot(folder: Folder, entry: CatalogEntry): MountedSnapshot {
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

  #latest(entry: CatalogEntry, known: Child['target'] | undefined): LatestLink {
    const { name } = entry
    const created = createdOf(entry)
    if (isNode(known, 'link') && known.target === name && known.created === created) return known
    return this.#nodes.add<LatestLink>({ kind: 'link', target: name, created })
  }

  #folderOf(parent: Folder, name: string, known: Child['target'] | undefined): Folder {
    return isNode(known, 'folder') ? known : this.#addFolder(`${parent.prefix}${name}/`, parent.nodeid)
  }

  #objectOf(metadata: ObjectMetadata, known: Child['target'] | undefined): ObjectFile {
    if (isNode(known, 'object') && known.metadata.etag === metadata.etag) return known
    return this.#nodes.add<ObjectFile>({ kind: 'object', metadata })
  }

  #addFolder(prefix: string, parent: number): Folder {
    return this.#nodes.add<Folder>({
      kind: 'folder',
      parent,
      prefix,
      listing: undefined,
      started: this.#started,
      touched: false,
      old: false,
      isLocal: false,
    })
  }

  #dropMissing(before: Listing | undefined, after: ReadonlyMap<string, Child>): void {
    // Under another name it is still there.
    const kept = new Set([...after.values()].map(({ target }) => target))
    for (const { target } of before?.children.values() ?? []) if (!kept.has(target)) this.#drop(target)
  }

  /** Snapshots that are gone live on while someone is in them; everything else is asked for by name again. */
  #drop(target: Child['target']): void {
    if (target instanceof MountedSnapshot) {
      target.supersede()
      this.#removeIfGone(target)
      return
    }
    this.#nodes.delete(target.nodeid)
    if (target.kind === 'folder')
      for (const child of target.listing?.children.values() ?? []) this.#drop(child.target)
  }

  #removeIfGone(snapshot: MountedSnapshot): void {
    if (!snapshot.isGone) return
    this.#snapshots.delete(snapshot.slot)
    this.#ownFiles.drop(snapshot)
  }
}

/** The snapshot in a listing that is being changed as this one. */
function showing(
  listing: Listing | undefined,
  working: WritableSnapshot | undefined,
): MountedSnapshot | undefined {
  if (working === undefined) return undefined
  for (const { target } of listing?.children.values() ?? [])
    if (target instanceof MountedSnapshot && target.working === working) return target
  return undefined
}

/** Of a snapshot that has no manifest yet. */
function begunEntry(number: number): CatalogEntry {
  return { number, name: snapshotName(number), manifestEtag: '', manifest: undefined, problem: undefined }
}

function isNode<K extends Node['kind']>(
  target: Child['target'] | undefined,
  kind: K,
): target is Extract<Node, { kind: K }> {
  return target !== undefined && !(target instanceof MountedSnapshot) && target.kind === kind
}

/** Names whose target is another one, or that are only in one of both. */
function differences(before: Pick<Listing, 'children'>, after: Pick<Listing, 'children'>): string[] {
  const names = new Set([...before.children.keys(), ...after.children.keys()])
  return [...names].filter((name) => before.children.get(name)?.target !== after.children.get(name)?.target)
}

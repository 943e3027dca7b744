import type { Abortable } from '../base/abort.ts'
import type { BlobSource } from '../cache/blob-source.ts'
import { FuseError } from '../fuse/errno.ts'
import type {
  Attributes,
  DirectorySink,
  Entry,
  FuseOperations,
  MaybePromise,
  RequestContext,
} from '../fuse/operations.ts'
import type { Attr, Kstatfs } from '../fuse/protocol.ts'
import { textOfFileName } from '../snapshot/file-name.ts'
import { timestampOfMillis } from '../snapshot/timestamp.ts'
import type { FileName } from '../snapshot/tree.ts'
import { type ObjectReader, objectKey } from '../store/object-store.ts'
import type { Change } from './destination-tree.ts'
import { addHere, HereCookie } from './here.ts'
import { seek } from './holes.ts'
import { rootNodeid } from './inode-number.ts'
import { briefly, folderAttr, type Mounter, storedFileAttr } from './node-attributes.ts'
import { NodeTable } from './node-table.ts'
import { type RawChild, RawListing, type RawPlace } from './raw-listing.ts'
import { mayStandForAnother } from './raw-names.ts'
import { readBlob } from './read-blob.ts'
import { statfsOf } from './statfs.ts'
import { then } from './then.ts'

export interface RawFilesystemOptions {
  readonly reader: ObjectReader
  readonly source: BlobSource
  /** Called for each folder whose listing the kernel must not answer from its memory any more. */
  readonly onChange: (change: Change) => void
  /** Who mounts, and alone may read the objects. */
  readonly uid: number
  readonly gid: number
}

type RawNode = RawPlace & {
  readonly nodeid: number
  readonly parent: number
  /** That the kernel has not taken back. */
  lookups: number
  /** Of a folder that somebody has looked through. */
  listing: RawListing | undefined
  /** It may have changed since it was listed; whoever is going through it goes on all the same. */
  isOld: boolean
}
type RawFolder = Extract<RawNode, { readonly kind: 'folder' }>

/**
 * The keys of a destination as files and folders, whatever they mean: for looking around with ordinary tools. Folders are listed page by page as somebody gets there, and a name in a
 * folder that nobody has listed is asked for alone, as `files/` may hold millions.
 */
export class RawFilesystem implements FuseOperations {
  readonly #reader: ObjectReader
  readonly #source: BlobSource
  readonly #onChange: (change: Change) => void
  readonly #mounter: Mounter
  readonly #started = Date.now()
  readonly #nodes = new NodeTable<RawNode>()
  /** By what they stand for: as long as the kernel knows a node, it has one number. */
  readonly #byPlace = new Map<string, RawNode>()

  constructor({ reader, source, onChange, uid, gid }: RawFilesystemOptions) {
    this.#reader = reader
    this.#source = source
    this.#onChange = onChange
    this.#mounter = { uid, gid }
    const root = this.#node(rootNodeid, { kind: 'folder', prefix: '' })
    root.lookups = 1
  }

  /** What was listed is asked for again when it is wanted again. */
  refresh(): void {
    for (const node of this.#nodes.values()) {
      if (node.listing === undefined || node.isOld) continue
      node.isOld = true
      this.#onChange({ folder: node.nodeid, names: [] })
    }
  }

  /** Lists the first page of the top folder. Rejects with a `StoreError` when the destination cannot be reached. */
  async listTop(): Promise<void> {
    await this.#listing(this.#nodes.folder(rootNodeid)).beyond(0, {})
  }

  lookup(parent: number, name: string, { signal }: RequestContext): MaybePromise<Entry | undefined> {
    const folder = this.#nodes.folder(parent)
    const entryOf = (child: RawChild | undefined): Entry | undefined => {
      if (child === undefined) return undefined
      const node = this.#node(parent, child.place)
      node.lookups++
      return this.#entry(node)
    }
    const listing = folder.isOld ? undefined : folder.listing
    const known = listing?.named(name)
    if (known !== undefined || listing?.isComplete) return entryOf(known)
    return this.#find(folder, name as FileName, { signal }).then(entryOf)
  }

  forget(nodeid: number, lookups: number): void {
    const node = this.#nodes.find(nodeid)
    if (node === undefined || nodeid === rootNodeid) return
    node.lookups -= lookups
    this.#dropIfUnknown(node)
  }

  getattr(nodeid: number): Attributes {
    return { attr: this.#attr(this.#nodes.get(nodeid)), attrValid: briefly }
  }

  readlink(): never {
    throw new FuseError('EINVAL')
  }

  read(
    nodeid: number,
    offset: number,
    size: number,
    { signal }: RequestContext,
  ): MaybePromise<readonly Uint8Array[]> {
    const node = this.#nodes.get(nodeid)
    if (node.kind === 'folder') throw new FuseError('EISDIR')
    return readBlob(this.#source, node.metadata, { offset, size }, signal)
  }

  readdir(
    nodeid: number,
    cookie: number,
    sink: DirectorySink,
    { signal }: RequestContext,
  ): MaybePromise<void> {
    const folder = this.#nodes.folder(nodeid)
    const from = Math.max(0, cookie - HereCookie.parent)
    const listing = this.#listing(folder, cookie > 0)
    return then(listing.beyond(from, { signal }), () => {
      if (!addHere(sink, cookie, nodeid, folder.parent)) return
      // Not all of a short answer is the end: the kernel asks again, and gets nothing then.
      for (let at = from; at < listing.children.length; at++)
        if (!this.#offer(nodeid, listing.children[at] as RawChild, HereCookie.parent + at + 1, sink)) return
    })
  }

  statfs(): Kstatfs {
    return statfsOf({ bytes: 0, inodes: 0, isWritable: false })
  }

  /** The whole key, of which a name may be only a likeness. */
  getxattr(nodeid: number, name: string): Uint8Array | undefined {
    return name === 'user.jbfs.key' ? Buffer.from(keyOf(this.#nodes.get(nodeid))) : undefined
  }

  listxattr(): readonly string[] {
    return []
  }

  lseek(nodeid: number, offset: number, want: 'data' | 'hole'): number | undefined {
    return seek(want, offset, this.#attr(this.#nodes.get(nodeid)).size, undefined)
  }

  /** A name of a folder that is not listed as far as that. */
  async #find(folder: RawFolder, name: FileName, { signal }: Abortable): Promise<RawChild | undefined> {
    const text = textOfFileName(name)
    if (text === undefined) return undefined
    const [metadata, isPrefix] = await Promise.all([
      this.#reader.head(objectKey(folder.prefix + text), { signal }),
      this.#hasKeys(`${folder.prefix}${text}/`, { signal }),
    ])
    if (metadata !== undefined) return { name, place: { kind: 'object', metadata } }
    if (isPrefix) return { name, place: { kind: 'folder', prefix: `${folder.prefix}${text}/` } }
    if (!mayStandForAnother(name)) return undefined
    const listing = this.#listing(folder)
    await listing.beyond(Number.POSITIVE_INFINITY, { signal })
    return listing.named(name)
  }

  async #hasKeys(prefix: string, { signal }: Abortable): Promise<boolean> {
    for await (const { objects, prefixes } of this.#reader.list(prefix, { delimiter: '/', signal }))
      if (objects.length + prefixes.length > 0) return true
    return false
  }

  #offer(parent: number, { name, place }: RawChild, cookie: number, sink: DirectorySink): boolean {
    const node = this.#node(parent, place)
    const added = sink.add(name, cookie, this.#entry(node))
    if (added === 'counted') node.lookups++
    this.#dropIfUnknown(node)
    return added !== 'full'
  }

  #listing(folder: RawFolder, goesOn = false): RawListing {
    if (folder.listing === undefined || folder.listing.hasFailed || (folder.isOld && !goesOn)) {
      folder.listing = new RawListing(this.#reader, folder.prefix)
      folder.isOld = false
    }
    return folder.listing
  }

  #node(parent: number, place: RawPlace): RawNode {
    const known = this.#byPlace.get(identityOf(place))
    if (known !== undefined) return known
    const node = this.#nodes.add<RawNode>({ ...place, parent, lookups: 0, listing: undefined, isOld: false })
    this.#byPlace.set(identityOf(place), node)
    return node
  }

  #dropIfUnknown(node: RawNode): void {
    if (node.lookups > 0) return
    this.#nodes.delete(node.nodeid)
    this.#byPlace.delete(identityOf(node))
  }

  #entry(node: RawNode): Entry {
    return { attr: this.#attr(node), attrValid: briefly, entryValid: briefly }
  }

  #attr(node: RawNode): Attr {
    if (node.kind === 'folder') return folderAttr(node.nodeid, 0o555, this.#started, this.#mounter)
    const { size, modified } = node.metadata
    return storedFileAttr(node.nodeid, size, timestampOfMillis(modified), this.#mounter)
  }
}

/** Another etag is another node: what the kernel holds of it stays right. */
function identityOf(place: RawPlace): string {
  return place.kind === 'object'
    ? `object ${place.metadata.etag} ${place.metadata.key}`
    : `folder ${place.prefix}`
}

function keyOf(place: RawPlace): string {
  return place.kind === 'object' ? place.metadata.key : place.prefix
}

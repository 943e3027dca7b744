import type { BlobSource } from '../cache/blob-source.ts'
import { CacheError } from '../cache/errors.ts'
import { FuseError } from '../fuse/errno.ts'
import type {
  Attributes,
  ChangeOperations,
  DirectorySink,
  Entry,
  FuseOperations,
  MaybePromise,
  RequestContext,
} from '../fuse/operations.ts'
import type { Attr, Kstatfs } from '../fuse/protocol.ts'
import { createdOf } from '../snapshot/catalog.ts'
import { rootIno } from '../snapshot/schema.ts'
import type { FileName, Inode, Tree } from '../snapshot/tree.ts'
import type { WritableSnapshots } from '../snapshot/writable-tree.ts'
import { attributesOf, FileType, folderSize, makeAttr } from './attributes.ts'
import type { DestinationTree } from './destination-tree.ts'
import { DropBehind, type DropPages } from './drop-behind.ts'
import type { Child, Node } from './folder.ts'
import { addHere, HereCookie } from './here.ts'
import { seek, stretchesOf, zeroPieces } from './holes.ts'
import { inoOf, nodeidOf, slotOf } from './inode-number.ts'
import { MountedSnapshot } from './mounted-snapshot.ts'
import {
  briefly,
  folderAttr,
  linkAttr,
  type Mounter,
  storedFileAttr,
  timestampOfMillis,
} from './node-attributes.ts'
import { readBlob } from './read-blob.ts'
import { readStretches } from './read-stretches.ts'
import { ReadingOrder } from './reading-order.ts'
import { SnapshotChanges } from './snapshot-changes.ts'
import { statfsOf } from './statfs.ts'
import { then } from './then.ts'

/** What a mount for writing has besides. */
export interface WritingOptions {
  readonly snapshots: WritableSnapshots
  /** Throws when this server may not write any more. */
  readonly check: () => void
}

export interface SnapshotFilesystemOptions {
  readonly tree: DestinationTree
  readonly source: BlobSource
  /** Asks the kernel to give pages back. */
  readonly dropPages: DropPages
  /** Owner of what is not part of a snapshot: who mounts. */
  readonly uid: number
  readonly gid: number
  /** undefined: nothing can be changed. */
  readonly writing?: WritingOptions | undefined
}

/** A published snapshot never changes: the kernel need not ask again (seconds). */
const forever = 2 ** 31

const manifestName = 'jetbackup.index'
const readmeName = 'README.txt'

/** Readdir's cookies: `.` and `..`, the manifest, then the entries of the index by position, or where there are none what says why. */
const Cookie = { ...HereCookie, manifest: 3, firstEntry: 4, readme: 4 } as const

/**
 * The mounted destination: inode-level operations on the snapshots' trees and on the folders above them. Metadata comes from the
 * indexes alone, content from the `BlobSource`. It knows no protocol and no kernel; a transport drives it.
 */
export class SnapshotFilesystem implements FuseOperations {
  readonly #tree: DestinationTree
  readonly #source: BlobSource
  readonly #readingOrder: ReadingOrder
  readonly #dropPages: DropPages
  readonly #dropBehind: DropBehind
  readonly #mounter: Mounter
  readonly changes: ChangeOperations | undefined

  constructor({ tree, source, dropPages, uid, gid, writing }: SnapshotFilesystemOptions) {
    this.#tree = tree
    this.#source = source
    this.#readingOrder = new ReadingOrder(source)
    this.#dropPages = dropPages
    this.#dropBehind = new DropBehind(dropPages)
    this.#mounter = { uid, gid }
    this.changes =
      writing &&
      new SnapshotChanges({
        tree,
        ...writing,
        reading: {
          entryOf: (snapshot, inode) => this.#entryOf(snapshot, inode),
          folderEntry: (parent, name) => {
            const child = tree.folder(parent).listing?.children.get(name)
            return child && this.#childEntry(child)
          },
          getattr: (nodeid, context) => this.getattr(nodeid, context),
          read: (nodeid, offset, size, context) => this.read(nodeid, offset, size, context),
        },
      })
  }

  lookup(parent: number, name: string, { signal }: RequestContext): MaybePromise<Entry | undefined> {
    if (slotOf(parent) === 0) {
      return then(this.#tree.listing(this.#tree.folder(parent), { signal }), ({ children }) => {
        const child = children.get(name)
        return child && this.#childEntry(child)
      })
    }
    const snapshot = this.#snapshot(parent)
    return then(this.#treeOf(snapshot, signal), (tree) => {
      const inode = tree?.lookup(inoOf(parent), name as FileName)
      if (inode !== undefined) return this.#remember(snapshot, inode)
      if (!this.#isRoot(snapshot, parent)) return undefined
      if (name === manifestName) return this.#manifestEntry(snapshot)
      return name === readmeName ? this.#readmeEntry(snapshot) : undefined
    })
  }

  forget(nodeid: number, lookups: number): void {
    this.#tree.snapshot(slotOf(nodeid))?.working?.forgotten(inoOf(nodeid))
    this.#tree.forgotten(slotOf(nodeid), lookups)
  }

  getattr(nodeid: number, { signal }: RequestContext): MaybePromise<Attributes> {
    if (slotOf(nodeid) === 0)
      return { attr: this.#nodeAttr(this.#tree.knownNode(nodeid)), attrValid: briefly }
    const snapshot = this.#snapshot(nodeid)
    if (this.#isRoot(snapshot, nodeid)) return this.#rootAttributes(snapshot)
    return then(this.#inode(nodeid, signal), ({ inode }) => ({
      attr: this.#attrOf(snapshot, inode),
      attrValid: forever,
    }))
  }

  readlink(nodeid: number, { signal }: RequestContext): MaybePromise<string> {
    if (slotOf(nodeid) === 0) {
      const node = this.#tree.knownNode(nodeid)
      if (node.kind !== 'link') throw new FuseError('EINVAL')
      return node.target
    }
    return then(this.#inode(nodeid, signal), ({ inode }) => {
      if (inode.target === undefined) throw new FuseError('EINVAL')
      return inode.target
    })
  }

  read(
    nodeid: number,
    offset: number,
    size: number,
    context: RequestContext,
  ): MaybePromise<readonly Uint8Array[]> {
    const { signal } = context
    if (slotOf(nodeid) === 0) {
      const node = this.#tree.knownNode(nodeid)
      if (node.kind === 'text') return [node.bytes.subarray(offset, offset + size)]
      if (node.kind === 'object') return readBlob(this.#source, node.metadata, { offset, size }, signal)
      throw new FuseError(node.kind === 'folder' ? 'EISDIR' : 'EINVAL')
    }
    return then(this.#inode(nodeid, signal), ({ snapshot, tree, inode }) => {
      if ((inode.mode & FileType.mask) !== FileType.file) throw new FuseError('EINVAL')
      const staged = snapshot.working?.stagedContent(inode.ino)
      if (staged !== undefined && offset < staged.begins)
        return this.#readStored(nodeid, offset, size, context)
      if (staged !== undefined) return [staged.read(offset, size)]
      const length = Math.min(size, inode.size - offset)
      if (length <= 0) return []
      if (inode.object === undefined) return zeroPieces(length)
      const { object } = inode
      const answer = inode.sparse
        ? readStretches(
            this.#source,
            object,
            stretchesOf(tree.extents(inode.ino, offset), { offset, length }),
            signal,
          )
        : readBlob(this.#source, object, { offset, size: length }, signal)
      // After our own request, so that what is wanted now goes out first.
      this.#dropBehind.noteRead(nodeid, inode.size, offset, length)
      if (offset === 0) this.#readingOrder.started(tree, inode.ino)
      if (answer instanceof Promise) answer.catch((error: unknown) => this.#forgetIfCorrupt(error, nodeid))
      return answer
    })
  }

  /** What is on its way to the store is read when it is there. */
  async #readStored(
    nodeid: number,
    offset: number,
    size: number,
    context: RequestContext,
  ): Promise<readonly Uint8Array[]> {
    await this.#snapshot(nodeid).working?.store(inoOf(nodeid), context)
    return await this.read(nodeid, offset, size, context)
  }

  readdir(
    nodeid: number,
    cookie: number,
    sink: DirectorySink,
    { signal }: RequestContext,
  ): MaybePromise<void> {
    if (slotOf(nodeid) === 0) {
      const folder = this.#tree.folder(nodeid)
      return then(this.#tree.listing(folder, { signal }), ({ children }) => {
        if (!addHere(sink, cookie, nodeid, folder.parent)) return
        for (const child of children.values()) {
          // Serials begin at 1 and the cookies of `.` and `..` take the places before.
          const place = child.serial + Cookie.parent
          if (place <= cookie) continue
          const entry = this.#childEntry(child, false)
          const added = sink.add(child.name, place, entry)
          if (added === 'full') return
          if (added === 'counted' && child.target instanceof MountedSnapshot) child.target.remembered()
        }
      })
    }
    const snapshot = this.#snapshot(nodeid)
    return then(this.#treeOf(snapshot, signal), (tree) =>
      this.#readTree(snapshot, tree, nodeid, cookie, sink),
    )
  }

  statfs(): Kstatfs {
    let bytes = 0
    let inodes = 0
    for (const { entry } of this.#tree.snapshots()) {
      bytes += entry.manifest?.jbfs?.bytes ?? 0
      inodes += (entry.manifest?.jbfs?.files ?? 0) + (entry.manifest?.jbfs?.folders ?? 0)
    }
    return statfsOf({ bytes, inodes, isWritable: this.changes !== undefined })
  }

  getxattr(nodeid: number, name: string, { signal }: RequestContext): MaybePromise<Uint8Array | undefined> {
    if (slotOf(nodeid) === 0) return undefined
    const snapshot = this.#snapshot(nodeid)
    const ofRoot = this.#isRoot(snapshot, nodeid) ? rootAttributes.get(name) : undefined
    if (ofRoot !== undefined) return bytesOf(ofRoot(snapshot))
    if (this.#isRoot(snapshot, nodeid) && hasNoXattrs(snapshot)) return undefined
    return then(this.#inode(nodeid, signal), ({ tree, inode }) => {
      const ofFile = fileAttributes.get(name)
      return ofFile === undefined ? tree.xattr(inode.ino, name) : bytesOf(ofFile(snapshot, inode))
    })
  }

  /** Only what the backup holds: `rsync -X` and `cp -a` would copy `user.jbfs.*` along and find differences. */
  listxattr(nodeid: number, { signal }: RequestContext): MaybePromise<readonly string[]> {
    if (slotOf(nodeid) === 0) return []
    const snapshot = this.#snapshot(nodeid)
    if (this.#isRoot(snapshot, nodeid) && hasNoXattrs(snapshot)) return []
    return then(this.#treeOf(snapshot, signal), (tree) => tree?.xattrNames(inoOf(nodeid)) ?? [])
  }

  lseek(nodeid: number, offset: number, want: 'data' | 'hole'): number | undefined {
    if (slotOf(nodeid) === 0)
      return seek(want, offset, this.#nodeAttr(this.#tree.knownNode(nodeid)).size, undefined)
    const tree = this.#snapshot(nodeid).openedTree
    const inode = tree?.inode(inoOf(nodeid))
    if (tree === undefined || inode === undefined) throw new FuseError('ESTALE')
    const staged = this.#snapshot(nodeid).working?.stagedContent(inode.ino)
    if (staged !== undefined) return staged.seek(offset, want)
    const extents = inode.sparse ? tree.extents(inode.ino, offset) : undefined
    return seek(want, offset, inode.size, extents)
  }

  #readTree(
    snapshot: MountedSnapshot,
    tree: Tree | undefined,
    nodeid: number,
    cookie: number,
    sink: DirectorySink,
  ): void {
    const ino = inoOf(nodeid)
    const isRoot = this.#isRoot(snapshot, nodeid)
    const parent =
      isRoot || tree === undefined ? snapshot.parent : nodeidOf(snapshot.slot, tree.parentOf(ino))
    if (!addHere(sink, cookie, nodeid, parent)) return
    if (isRoot && cookie < Cookie.manifest) {
      const manifest = tree?.lookup(ino, manifestName as FileName) ? undefined : this.#manifestEntry(snapshot)
      if (manifest && sink.add(manifestName, Cookie.manifest, manifest) === 'full') return
    }
    if (tree === undefined) {
      const readme = isRoot && cookie < Cookie.readme ? this.#readmeEntry(snapshot) : undefined
      if (readme !== undefined) sink.add(readmeName, Cookie.readme, readme)
      return
    }
    const first = Math.max(0, cookie - Cookie.firstEntry + 1)
    for (const { name, position, inode } of tree.entries(ino, first)) {
      const entry = this.#entryOf(snapshot, inode)
      const added = sink.add(name, position + Cookie.firstEntry, entry)
      if (added === 'full') return
      if (added === 'counted') snapshot.remembered()
    }
  }

  #childEntry({ target }: Child, count = true): Entry {
    if (!(target instanceof MountedSnapshot))
      return { attr: this.#nodeAttr(target), attrValid: briefly, entryValid: briefly }
    if (count) target.remembered()
    return { ...this.#rootAttributes(target), entryValid: briefly }
  }

  #remember(snapshot: MountedSnapshot, inode: Inode): Entry {
    snapshot.remembered()
    return this.#entryOf(snapshot, inode)
  }

  #entryOf(snapshot: MountedSnapshot, inode: Inode): Entry {
    return { attr: this.#attrOf(snapshot, inode), attrValid: forever, entryValid: forever }
  }

  #attrOf({ slot, working }: MountedSnapshot, inode: Inode): Attr {
    return attributesOf(inode, nodeidOf(slot, inode.ino), working?.stagedContent(inode.ino)?.blocks)
  }

  #manifestEntry(snapshot: MountedSnapshot): Entry | undefined {
    return this.#ownEntry(this.#tree.manifestFile(snapshot))
  }

  #readmeEntry(snapshot: MountedSnapshot): Entry | undefined {
    return this.#ownEntry(this.#tree.readmeFile(snapshot))
  }

  #ownEntry(file: Node | undefined): Entry | undefined {
    return file && { attr: this.#nodeAttr(file), attrValid: forever, entryValid: forever }
  }

  #rootAttributes(snapshot: MountedSnapshot): Attributes {
    // Of what something else wrote they are others when its tree is open.
    const isPreliminary = snapshot.entry.manifest?.jbfs === undefined && snapshot.openedTree === undefined
    return { attr: this.#rootAttr(snapshot), attrValid: isPreliminary ? 0 : briefly }
  }

  /** The folder itself as the manifest tells, so that a repository can be listed without any index; where that does not, as its tree does when it is open. */
  #rootAttr({ slot, entry, working, openedTree }: MountedSnapshot): Attr {
    const tree = working?.tree ?? (entry.manifest?.jbfs === undefined ? openedTree : undefined)
    const top = tree?.inode(tree.root)
    if (top !== undefined) return attributesOf(top, nodeidOf(slot, top.ino))
    const created = { seconds: createdOf(entry), nanoseconds: 0 }
    const root = entry.manifest?.jbfs?.root
    return makeAttr({
      ino: nodeidOf(slot, rootIno),
      mode: FileType.folder | 0o555,
      nlink: 2,
      ...this.#mounter,
      rdev: 0,
      size: folderSize,
      blocks: folderSize / 512,
      mtime: created,
      ctime: created,
      ...root,
    })
  }

  #nodeAttr(node: Node): Attr {
    const { nodeid } = node
    if (node.kind === 'folder') {
      const permissions = this.changes === undefined ? 0o555 : 0o755
      return folderAttr(nodeid, permissions, node.listing?.changed ?? node.started, this.#mounter)
    }
    if (node.kind === 'object') {
      const { size, modified } = node.metadata
      return storedFileAttr(nodeid, size, timestampOfMillis(modified), this.#mounter)
    }
    const created = { seconds: node.created, nanoseconds: 0 }
    return node.kind === 'text'
      ? storedFileAttr(nodeid, node.bytes.length, created, this.#mounter)
      : linkAttr(nodeid, node.target, created, this.#mounter)
  }

  /** The end of a large object tells that it is not what its index says: then the kernel must not keep what it has of it. */
  #forgetIfCorrupt(error: unknown, nodeid: number): void {
    if (error instanceof CacheError && error.code === 'corrupt') this.#dropPages(nodeid, 0, 0)
  }

  #snapshot(nodeid: number): MountedSnapshot {
    const snapshot = this.#tree.snapshot(slotOf(nodeid))
    if (snapshot === undefined) throw new FuseError('ESTALE')
    return snapshot
  }

  #isRoot(snapshot: MountedSnapshot, nodeid: number): boolean {
    return nodeid === nodeidOf(snapshot.slot, rootIno)
  }

  /** undefined for a snapshot of which only the manifest can be shown. */
  #treeOf(snapshot: MountedSnapshot, signal: AbortSignal): MaybePromise<Tree | undefined> {
    return snapshot.problem?.code === 'foreign' ? undefined : snapshot.tree({ signal })
  }

  #inode(
    nodeid: number,
    signal: AbortSignal,
  ): MaybePromise<{ snapshot: MountedSnapshot; tree: Tree; inode: Inode }> {
    const snapshot = this.#snapshot(nodeid)
    return then(this.#treeOf(snapshot, signal), (tree) => {
      const inode = tree?.inode(inoOf(nodeid))
      if (tree === undefined || inode === undefined) throw new FuseError('ESTALE')
      return { snapshot, tree, inode }
    })
  }
}

/** `user.jbfs.*` of every file. */
const fileAttributes = new Map<string, (snapshot: MountedSnapshot, inode: Inode) => string | undefined>([
  ['user.jbfs.object', (_, { object }) => object?.id],
  ['user.jbfs.sha256', (_, { object }) => object?.sha256?.toString('hex')],
  ['user.jbfs.snapshot', ({ entry }) => entry.name],
  ['user.jbfs.state', ({ working }, { ino }) => working?.stateOf(ino) ?? 'published'],
])

/** `user.jbfs.*` of a snapshot's folder, which has them even when its index cannot be opened. */
const rootAttributes = new Map<string, (snapshot: MountedSnapshot) => string | undefined>([
  ['user.jbfs.snapshot', ({ entry }) => entry.name],
  [
    'user.jbfs.created',
    ({ entry }) => entry.manifest && new Date(entry.manifest.created * 1000).toISOString(),
  ],
  ['user.jbfs.error', ({ problem }) => problem?.message],
])

function bytesOf(text: string | undefined): Buffer | undefined {
  return text === undefined ? undefined : Buffer.from(text)
}

/** `ls -l` asks every snapshot of a repository for its ACL: that alone must not fetch its index. */
function hasNoXattrs({ entry, working }: MountedSnapshot): boolean {
  // What is being changed may have some that its manifest does not know of.
  if (working !== undefined) return false
  // What something else wrote has none that jbfs knows of.
  return entry.problem !== undefined || (entry.manifest?.jbfs?.root.xattrs ?? 0) === 0
}

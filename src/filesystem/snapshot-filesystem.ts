import type { BlobSource } from '../cache/blob-source.ts'
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
import type { Kstatfs } from '../fuse/protocol.ts'
import { rootIno } from '../snapshot/schema.ts'
import type { FileName, Inode, Tree } from '../snapshot/tree.ts'
import type { WritableSnapshots } from '../snapshot/writable-tree.ts'
import type { DestinationTree } from './destination-tree.ts'
import type { DropPages } from './drop-behind.ts'
import { Entries } from './entries.ts'
import type { Child } from './folder.ts'
import { addHere, HereCookie } from './here.ts'
import { seek } from './holes.ts'
import { inoOf, nodeidOf, slotOf } from './inode-number.ts'
import { MountedSnapshot } from './mounted-snapshot.ts'
import { fileXattrs, rootXattrs } from './own-xattrs.ts'
import { readBlob } from './read-blob.ts'
import { SnapshotChanges } from './snapshot-changes.ts'
import { type FoundInode, SnapshotContents } from './snapshot-contents.ts'
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
  readonly #contents: SnapshotContents
  readonly #entries: Entries
  readonly changes: ChangeOperations | undefined

  constructor({ tree, source, dropPages, uid, gid, writing }: SnapshotFilesystemOptions) {
    this.#tree = tree
    this.#source = source
    this.#contents = new SnapshotContents({
      source,
      dropPages,
      find: (nodeid, signal) => this.#inode(nodeid, signal),
    })
    this.#entries = new Entries({ mounter: { uid, gid }, isWritable: writing !== undefined })
    this.changes =
      writing &&
      new SnapshotChanges({
        tree,
        ...writing,
        reading: {
          entryOf: (snapshot, inode) => this.#entries.ofInode(snapshot, inode),
          folderEntry: (parent, name) => {
            const child = tree.folder(parent).listing?.children.get(name)
            return child && this.#rememberChild(child)
          },
          shownEntry: (nodeid, name) => {
            const node = tree.node(nodeid)
            return name === manifestName && node?.kind === 'text' ? this.#entries.ofOwnFile(node) : undefined
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
        return child && this.#rememberChild(child)
      })
    }
    const snapshot = this.#tree.snapshotAt(parent)
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
    if (slotOf(nodeid) === 0) return this.#entries.nodeAttributes(this.#tree.knownNode(nodeid))
    const snapshot = this.#tree.snapshotAt(nodeid)
    if (this.#isRoot(snapshot, nodeid)) return this.#entries.rootAttributes(snapshot)
    return then(this.#inode(nodeid, signal), ({ inode }) => this.#entries.inodeAttributes(snapshot, inode))
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
    if (slotOf(nodeid) !== 0) return this.#contents.read(nodeid, offset, size, context)
    const node = this.#tree.knownNode(nodeid)
    if (node.kind === 'text') return [node.bytes.subarray(offset, offset + size)]
    if (node.kind === 'object') return readBlob(this.#source, node.metadata, { offset, size }, context.signal)
    throw new FuseError(node.kind === 'folder' ? 'EISDIR' : 'EINVAL')
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
          const added = sink.add(child.name, place, this.#entries.ofChild(child))
          if (added === 'full') return
          if (added === 'counted' && child.target instanceof MountedSnapshot) child.target.remembered()
        }
      })
    }
    const snapshot = this.#tree.snapshotAt(nodeid)
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
    const snapshot = this.#tree.snapshotAt(nodeid)
    const ofRoot = this.#isRoot(snapshot, nodeid) ? rootXattrs.get(name) : undefined
    if (ofRoot !== undefined) return ofRoot(snapshot)
    if (this.#isRoot(snapshot, nodeid) && hasNoXattrs(snapshot)) return undefined
    return then(this.#inode(nodeid, signal), ({ tree, inode }) => {
      const ofFile = fileXattrs.get(name)
      return ofFile === undefined ? tree.xattr(inode.ino, name) : ofFile(snapshot, inode)
    })
  }

  /** Only what the backup holds: `rsync -X` and `cp -a` would copy `user.jbfs.*` along and find differences. */
  listxattr(nodeid: number, { signal }: RequestContext): MaybePromise<readonly string[]> {
    if (slotOf(nodeid) === 0) return []
    const snapshot = this.#tree.snapshotAt(nodeid)
    if (this.#isRoot(snapshot, nodeid) && hasNoXattrs(snapshot)) return []
    return then(this.#treeOf(snapshot, signal), (tree) => tree?.xattrNames(inoOf(nodeid)) ?? [])
  }

  lseek(nodeid: number, offset: number, want: 'data' | 'hole'): number | undefined {
    if (slotOf(nodeid) === 0) {
      const { attr } = this.#entries.nodeAttributes(this.#tree.knownNode(nodeid))
      return seek(want, offset, attr.size, undefined)
    }
    const tree = this.#tree.snapshotAt(nodeid).openedTree
    const inode = tree?.inode(inoOf(nodeid))
    if (tree === undefined || inode === undefined) throw new FuseError('ESTALE')
    const staged = this.#tree.snapshotAt(nodeid).working?.stagedContent(inode.ino)
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
      const entry = this.#entries.ofInode(snapshot, inode)
      const added = sink.add(name, position + Cookie.firstEntry, entry)
      if (added === 'full') return
      if (added === 'counted') snapshot.remembered()
    }
  }

  #rememberChild(child: Child): Entry {
    if (child.target instanceof MountedSnapshot) child.target.remembered()
    return this.#entries.ofChild(child)
  }

  #remember(snapshot: MountedSnapshot, inode: Inode): Entry {
    snapshot.remembered()
    return this.#entries.ofInode(snapshot, inode)
  }

  #manifestEntry(snapshot: MountedSnapshot): Entry | undefined {
    return this.#entries.ofOwnFile(this.#tree.manifestFile(snapshot))
  }

  #readmeEntry(snapshot: MountedSnapshot): Entry | undefined {
    return this.#entries.ofOwnFile(this.#tree.readmeFile(snapshot))
  }

  #isRoot(snapshot: MountedSnapshot, nodeid: number): boolean {
    return nodeid === nodeidOf(snapshot.slot, rootIno)
  }

  /** undefined for a snapshot of which only the manifest can be shown. */
  #treeOf(snapshot: MountedSnapshot, signal: AbortSignal): MaybePromise<Tree | undefined> {
    return snapshot.problem?.code === 'foreign' ? undefined : snapshot.tree({ signal })
  }

  #inode(nodeid: number, signal: AbortSignal): MaybePromise<FoundInode> {
    const snapshot = this.#tree.snapshotAt(nodeid)
    return then(this.#treeOf(snapshot, signal), (tree) => {
      const inode = tree?.inode(inoOf(nodeid))
      if (tree === undefined || inode === undefined) throw new FuseError('ESTALE')
      return { snapshot, tree, inode }
    })
  }
}

/** `ls -l` asks every snapshot of a repository for its ACL: that alone must not fetch its index. */
function hasNoXattrs({ entry, working }: MountedSnapshot): boolean {
  // What is being changed may have some that its manifest does not know of.
  if (working !== undefined) return false
  // What something else wrote has none that jbfs knows of.
  return entry.problem !== undefined || (entry.manifest?.jbfs?.root.xattrs ?? 0) === 0
}

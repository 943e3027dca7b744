import { FuseError } from '../fuse/errno.ts'
import type {
  AllocateKind,
  AskedMode,
  AttributeChanges,
  Attributes,
  ChangeContext,
  ChangedRange,
  ChangeOperations,
  CopyPlace,
  Entry,
  MaybePromise,
  OpenMode,
  Place,
  RenameKind,
} from '../fuse/operations.ts'
import { ChangeError } from '../snapshot/errors.ts'
import type { FileName, Inode } from '../snapshot/tree.ts'
import type { TreePlace, WritableSnapshot, WritableSnapshots } from '../snapshot/writable-tree.ts'
import { FileType } from './attributes.ts'
import { changeAttributes, changeXattr, dropCapability } from './change-attributes.ts'
import { ChangeableSnapshots } from './changeable-snapshots.ts'
import { copyRange } from './copy-range.ts'
import { DestinationChanges } from './destination-changes.ts'
import type { DestinationTree } from './destination-tree.ts'
import { inoOf, slotOf } from './inode-number.ts'
import { LinksAcross } from './links-across.ts'
import { type AskedInode, makeInode, masked, withType } from './make-inode.ts'
import type { MountedSnapshot } from './mounted-snapshot.ts'
import { then } from './then.ts'

/** What the reading half of the filesystem does for this one. */
export interface ReadingHalf {
  entryOf(snapshot: MountedSnapshot, inode: Inode): Entry
  getattr(nodeid: number, context: ChangeContext): MaybePromise<Attributes>
  folderEntry(parent: number, name: string): Entry | undefined
  /** Of a node that is shown in snapshots under this name, and is none of their trees. */
  shownEntry(nodeid: number, name: string): Entry | undefined
  read(
    nodeid: number,
    offset: number,
    size: number,
    context: ChangeContext,
  ): MaybePromise<readonly Uint8Array[]>
}

export interface SnapshotChangesOptions {
  readonly tree: DestinationTree
  readonly snapshots: WritableSnapshots
  readonly reading: ReadingHalf
  /** Throws when this server may not write any more. */
  readonly check: () => void
}

/** What changes the mounted destination, by nodeids: each change goes to the tree of the snapshot that it is in, or to the folders above. */
export class SnapshotChanges implements ChangeOperations {
  readonly #reading: ReadingHalf
  readonly #check: () => void
  readonly #changeable: ChangeableSnapshots
  readonly #destination: DestinationChanges
  readonly #links: LinksAcross

  constructor({ tree, snapshots, reading, check }: SnapshotChangesOptions) {
    this.#reading = reading
    this.#check = check
    this.#changeable = new ChangeableSnapshots({ tree, snapshots, check })
    this.#destination = new DestinationChanges({
      tree,
      snapshots,
      changeable: this.#changeable,
      entryOf: (parent, name) => reading.folderEntry(parent, name),
      check,
    })
    this.#links = new LinksAcross(this.#changeable)
  }

  open(nodeid: number, mode: OpenMode, context: ChangeContext): MaybePromise<void> {
    if (slotOf(nodeid) === 0) {
      if (mode.writes) throw new FuseError('EROFS')
      return
    }
    return this.#changeable.opened(nodeid, mode, context)
  }

  create(
    parent: number,
    name: string,
    asked: AskedMode,
    open: OpenMode,
    context: ChangeContext,
  ): MaybePromise<Entry> {
    return this.#make(parent, name, withType(asked, FileType.file), context, (working, { ino }) =>
      working.opened(ino, open.writes),
    )
  }

  createUnnamed(
    parent: number,
    asked: AskedMode,
    open: OpenMode,
    context: ChangeContext,
  ): MaybePromise<Entry> {
    return this.#make(parent, undefined, withType(asked, FileType.file), context, (working, { ino }) =>
      working.opened(ino, open.writes),
    )
  }

  flush(nodeid: number, { writes }: OpenMode): MaybePromise<void> {
    // Who only reads has written nothing that could fail.
    if (!writes) return
    const failure = this.#changeable.find(nodeid)?.working?.failureOf(inoOf(nodeid))
    if (failure !== undefined) throw failure
  }

  close(nodeid: number, mode: OpenMode): void {
    this.#changeable.closed(nodeid, mode)
  }

  write(
    nodeid: number,
    offset: number,
    bytes: Buffer,
    clearSetuid: boolean,
    context: ChangeContext,
  ): MaybePromise<void> {
    const working = this.#changedFile(nodeid, context)
    if (working instanceof Promise) {
      // Theirs when this returns.
      const copy = Buffer.from(bytes)
      return working.then((working) => this.#write(working, nodeid, offset, copy, clearSetuid, context))
    }
    return this.#write(working, nodeid, offset, bytes, clearSetuid, context)
  }

  async fsync(nodeid: number, context: ChangeContext): Promise<void> {
    if (slotOf(nodeid) === 0) return
    this.#check()
    await this.#changeable.of(nodeid).working?.fsync(inoOf(nodeid), context)
  }

  async fsyncFolder(nodeid: number, context: ChangeContext): Promise<void> {
    if (slotOf(nodeid) === 0) return
    this.#check()
    await this.#changeable.of(nodeid).working?.publish(context)
  }

  setAttributes(nodeid: number, changes: AttributeChanges, context: ChangeContext): MaybePromise<Attributes> {
    // What lies above snapshots has no attributes that could be kept; tools that copy folders set them all the same.
    if (slotOf(nodeid) === 0) {
      if (changes.size !== undefined) throw new FuseError('EROFS')
      return this.#reading.getattr(nodeid, context)
    }
    const ino = inoOf(nodeid)
    return then(this.#changedFile(nodeid, context), (working) => {
      const resized =
        changes.size === undefined
          ? undefined
          : working.resize(ino, changes.size, changes.clearSetuid, context)
      return then(resized, () => {
        changeAttributes(working.tree, ino, changes)
        return this.#reading.getattr(nodeid, context)
      })
    })
  }

  makeNode(
    parent: number,
    name: string,
    asked: AskedMode,
    rdev: number,
    context: ChangeContext,
  ): MaybePromise<Entry> {
    return this.#make(parent, name, { ...asked, rdev }, context)
  }

  makeFolder(parent: number, name: string, asked: AskedMode, context: ChangeContext): MaybePromise<Entry> {
    const wanted = withType(asked, FileType.folder)
    if (slotOf(parent) !== 0) return this.#make(parent, name, wanted, context)
    return this.#destination.makeFolder(parent, name, masked(wanted), context)
  }

  makeSymlink(parent: number, name: string, target: string, context: ChangeContext): MaybePromise<Entry> {
    return this.#make(parent, name, { mode: FileType.symlink | 0o777, umask: 0, target }, context)
  }

  link(nodeid: number, parent: number, name: string, context: ChangeContext): MaybePromise<Entry> {
    return then(this.#changeable.writable(parent, context), (working) => {
      if (slotOf(nodeid) === 0) return this.#linkShown(nodeid, { parent, name }, working)
      const snapshot = this.#changeable.of(parent)
      const linked =
        slotOf(nodeid) === snapshot.slot
          ? working.tree.link(inoOf(nodeid), inoOf(parent), name as FileName)
          : this.#links.link(nodeid, { parent, name }, working, context)
      return then(linked, (inode) => this.#entry(snapshot, inode))
    })
  }

  /** `cp -al` of a snapshot comes to the manifest, too, that is shown in it: the new one will have its own. */
  #linkShown(nodeid: number, { parent, name }: Place, { tree }: WritableSnapshot): Entry {
    const ino = inoOf(parent)
    const shown = ino === tree.root ? this.#reading.shownEntry(nodeid, name) : undefined
    if (shown === undefined) throw new ChangeError('not-permitted')
    if (tree.lookup(ino, name as FileName) !== undefined) throw new ChangeError('name-taken')
    return { ...shown, entryValid: 0 }
  }

  unlink(parent: number, name: string, context: ChangeContext): MaybePromise<void> {
    if (slotOf(parent) === 0) return this.#destination.unlink(parent, name, context)
    return then(this.#changeable.writable(parent, context), (working) => {
      const ino = inoOf(parent)
      // The manifest that is shown goes with its snapshot: `rm -r` must get past it.
      if (
        ino === working.tree.root &&
        name === 'jetbackup.index' &&
        !working.tree.lookup(ino, name as FileName)
      )
        return
      const { ino: gone, nlink } = working.tree.unlink(ino, name as FileName)
      if (nlink === 0) working.unlinked(gone)
    })
  }

  removeFolder(parent: number, name: string, context: ChangeContext): MaybePromise<void> {
    if (slotOf(parent) === 0) return this.#destination.removeFolder(parent, name, context)
    return then(this.#changeable.writable(parent, context), (working) =>
      working.tree.removeFolder(inoOf(parent), name as FileName),
    )
  }

  rename(from: Place, to: Place, how: RenameKind, context: ChangeContext): MaybePromise<void> {
    if (slotOf(from.parent) === 0) return this.#destination.rename(from, to, context)
    if (slotOf(from.parent) !== slotOf(to.parent)) throw new ChangeError('other-snapshot')
    return then(this.#changeable.writable(from.parent, context), (working) => {
      const gone = working.tree.rename(treePlace(from), treePlace(to), how)
      if (gone?.nlink === 0) working.unlinked(gone.ino)
    })
  }

  allocate(
    nodeid: number,
    range: ChangedRange,
    how: AllocateKind,
    context: ChangeContext,
  ): MaybePromise<void> {
    return then(this.#changedFile(nodeid, context), (working) =>
      working.allocate(inoOf(nodeid), range, how, context),
    )
  }

  copyRange(from: CopyPlace, to: CopyPlace, length: number, context: ChangeContext): Promise<number> {
    this.#links.changed(to.nodeid)
    return copyRange(from, to, length, context, { changeable: this.#changeable, reading: this.#reading })
  }

  setxattr(
    nodeid: number,
    name: string,
    value: Buffer,
    how: 'any' | 'create' | 'replace',
    context: ChangeContext,
  ): MaybePromise<void> {
    // Ours are shown, and never kept: a tool that copies all attributes brings them along.
    if (name.startsWith('user.jbfs.')) throw new ChangeError('not-permitted')
    return then(this.#changedFile(nodeid, context), ({ tree }) =>
      changeXattr(tree, inoOf(nodeid), name, value, how),
    )
  }

  removexattr(nodeid: number, name: string, context: ChangeContext): MaybePromise<void> {
    return then(this.#changedFile(nodeid, context), (working) =>
      working.tree.removeXattr(inoOf(nodeid), name),
    )
  }

  #make(
    parent: number,
    name: string | undefined,
    asked: Omit<AskedInode, 'uid' | 'gid'>,
    context: ChangeContext,
    opened?: (working: WritableSnapshot, inode: Inode) => void,
  ): MaybePromise<Entry> {
    return then(this.#changeable.writable(parent, context), (working) => {
      const { uid, gid } = context
      const inode = makeInode(working.tree, inoOf(parent), name, { ...asked, uid, gid })
      opened?.(working, inode)
      return this.#entry(this.#changeable.of(parent), inode)
    })
  }

  #write(
    working: WritableSnapshot,
    nodeid: number,
    offset: number,
    bytes: Buffer,
    clearSetuid: boolean,
    context: ChangeContext,
  ): MaybePromise<void> {
    const ino = inoOf(nodeid)
    if (clearSetuid) dropCapability(working.tree, ino)
    return working.write(ino, offset, bytes, clearSetuid, context)
  }

  #entry(snapshot: MountedSnapshot, inode: Inode): Entry {
    snapshot.remembered()
    return this.#reading.entryOf(snapshot, inode)
  }

  /** For what changes a file itself, and not only its names. */
  #changedFile(nodeid: number, context: ChangeContext): MaybePromise<WritableSnapshot> {
    this.#links.changed(nodeid)
    return this.#changeable.writable(nodeid, context)
  }
}

function treePlace({ parent, name }: Place): TreePlace {
  return { parent: inoOf(parent), name: name as FileName }
}

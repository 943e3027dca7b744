import { isOwnFolder, ownerKey, parseSnapshotName } from '../destination/layout.ts'
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
import { rootIno } from '../snapshot/schema.ts'
import { withoutSetuid } from '../snapshot/setuid.ts'
import { type FileName, type Ino, type Inode, isOwn } from '../snapshot/tree.ts'
import type { MadeInode, WritableSnapshot, WritableSnapshots } from '../snapshot/writable-tree.ts'
import { Adopted } from './adopted.ts'
import { FileType } from './attributes.ts'
import type { DestinationTree } from './destination-tree.ts'
import type { Listing } from './folder.ts'
import { inoOf, nodeidOf, slotOf } from './inode-number.ts'
import { MountedSnapshot } from './mounted-snapshot.ts'
import { aclWithMode, aclXattr, defaultAclXattr, effectOfAcl, inheritedAcl } from './posix-acl.ts'
import { then } from './then.ts'

/** What the reading half of the filesystem does for this one. */
export interface ReadingHalf {
  entryOf(snapshot: MountedSnapshot, inode: Inode): Entry
  getattr(nodeid: number, context: ChangeContext): MaybePromise<Attributes>
  folderEntry(parent: number, name: string): Entry | undefined
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

const capability = 'security.capability'
/** Of one copy_file_range(2): who wants more asks again. */
const largestCopy = 16 << 20
const copyPiece = 1 << 20

/** What changes the mounted destination: snapshots are begun, changed and removed, and all below them. */
export class SnapshotChanges implements ChangeOperations {
  readonly #options: SnapshotChangesOptions
  readonly #adopted = new Adopted()
  /** Nodeids that are open to be read in snapshots that nobody has changed yet → how often. */
  readonly #readers = new Map<number, number>()

  constructor(options: SnapshotChangesOptions) {
    this.#options = options
  }

  open(nodeid: number, mode: OpenMode, context: ChangeContext): MaybePromise<void> {
    if (slotOf(nodeid) === 0) {
      if (mode.writes) throw new FuseError('EROFS')
      return
    }
    const ino = inoOf(nodeid)
    const present = this.#snapshot(nodeid).working
    if (!mode.writes) {
      if (present !== undefined) present.opened(ino, false)
      else this.#readers.set(nodeid, (this.#readers.get(nodeid) ?? 0) + 1)
      return
    }
    return then(this.#writable(nodeid, context), (working) => working.opened(ino, true))
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
    const failure = this.#options.tree.snapshot(slotOf(nodeid))?.working?.failureOf(inoOf(nodeid))
    if (failure !== undefined) throw failure
  }

  close(nodeid: number, mode: OpenMode): void {
    const readers = this.#readers.get(nodeid)
    if (readers === undefined)
      this.#options.tree.snapshot(slotOf(nodeid))?.working?.closed(inoOf(nodeid), mode.writes)
    else if (readers === 1) this.#readers.delete(nodeid)
    else this.#readers.set(nodeid, readers - 1)
  }

  write(
    nodeid: number,
    offset: number,
    bytes: Buffer,
    clearSetuid: boolean,
    context: ChangeContext,
  ): MaybePromise<void> {
    this.#adopted.changed(nodeid)
    const working = this.#writable(nodeid, context)
    if (working instanceof Promise) {
      // Theirs when this returns.
      const copy = Buffer.from(bytes)
      return working.then((working) => this.#write(working, nodeid, offset, copy, clearSetuid, context))
    }
    return this.#write(working, nodeid, offset, bytes, clearSetuid, context)
  }

  async fsync(nodeid: number, context: ChangeContext): Promise<void> {
    if (slotOf(nodeid) === 0) return
    this.#options.check()
    await this.#snapshot(nodeid).working?.fsync(inoOf(nodeid), context)
  }

  async fsyncFolder(nodeid: number, context: ChangeContext): Promise<void> {
    if (slotOf(nodeid) === 0) return
    this.#options.check()
    await this.#snapshot(nodeid).working?.publish(context)
  }

  setAttributes(nodeid: number, changes: AttributeChanges, context: ChangeContext): MaybePromise<Attributes> {
    // What lies above snapshots has no attributes that could be kept; tools that copy folders set them all the same.
    if (slotOf(nodeid) === 0) {
      if (changes.size !== undefined) throw new FuseError('EROFS')
      return this.#options.reading.getattr(nodeid, context)
    }
    const ino = inoOf(nodeid)
    this.#adopted.changed(nodeid)
    return then(this.#writable(nodeid, context), (working) => {
      const resized =
        changes.size === undefined
          ? undefined
          : working.resize(ino, changes.size, changes.clearSetuid, context)
      return then(resized, () => {
        this.#set(working, ino, changes)
        return this.#options.reading.getattr(nodeid, context)
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
    this.#options.check()
    refuseName(name)
    const { tree, snapshots, reading } = this.#options
    const { uid, gid, signal } = context
    return then(tree.listing(tree.folder(parent), { signal }), ({ children }) => {
      const folder = tree.folder(parent)
      if (children.has(name)) throw new ChangeError('name-taken')
      const number = parseSnapshotName(name)
      if (number !== undefined) {
        // What else writes here knows nothing of ours, and may take it for its own (native-notes/format.md §8).
        if (holdsForeign(children)) throw new FuseError('EROFS')
        const working = snapshots.begin(folder.prefix, number, { mode: masked(wanted), uid, gid })
        tree.addWorking(folder, number, working)
      } else tree.addFolder(folder, name)
      return reading.folderEntry(parent, name) as Entry
    })
  }

  makeSymlink(parent: number, name: string, target: string, context: ChangeContext): MaybePromise<Entry> {
    return this.#make(parent, name, { mode: FileType.symlink | 0o777, umask: 0, target }, context)
  }

  link(nodeid: number, parent: number, name: string, context: ChangeContext): MaybePromise<Entry> {
    if (slotOf(nodeid) === 0) throw new ChangeError('not-permitted')
    return then(this.#writable(parent, context), (working) => {
      const folder = inoOf(parent)
      const snapshot = this.#snapshot(parent)
      if (slotOf(nodeid) === snapshot.slot)
        return this.#entry(snapshot, working.tree.link(inoOf(nodeid), folder, name as FileName))
      return then(this.#linkForeign(nodeid, snapshot, working, folder, name as FileName, context), (inode) =>
        this.#entry(snapshot, inode),
      )
    })
  }

  unlink(parent: number, name: string, context: ChangeContext): MaybePromise<void> {
    return then(this.#writable(parent, context), (working) => {
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
    if (slotOf(parent) !== 0)
      return then(this.#writable(parent, context), (working) =>
        working.tree.removeFolder(inoOf(parent), name as FileName),
      )
    this.#options.check()
    const { tree, snapshots } = this.#options
    return then(tree.listing(tree.folder(parent), context), async ({ children }) => {
      const folder = tree.folder(parent)
      const target = children.get(name)?.target
      if (target === undefined) throw new ChangeError('no-name')
      if (!('slot' in target)) {
        if (target.kind !== 'folder') throw new ChangeError('no-folder')
        const { children: inside } = await tree.listing(target, context)
        if (inside.size > 0) throw new ChangeError('not-empty')
        tree.removeChild(folder, name)
        return
      }
      const inside = await target.tree(context)
      for (const _ of inside.entries(inside.root, 0)) throw new ChangeError('not-empty')
      await snapshots.remove(target.repository, target.entry)
      tree.removeChild(folder, name)
    })
  }

  rename(from: Place, to: Place, how: RenameKind, context: ChangeContext): MaybePromise<void> {
    if (slotOf(from.parent) === 0) return this.#renameSnapshot(from, to, context)
    if (slotOf(from.parent) !== slotOf(to.parent)) throw new ChangeError('other-snapshot')
    return then(this.#writable(from.parent, context), (working) => {
      const place = ({ parent, name }: Place): { parent: Ino; name: FileName } => ({
        parent: inoOf(parent),
        name: name as FileName,
      })
      const gone = working.tree.rename(place(from), place(to), how)
      if (gone?.nlink === 0) working.unlinked(gone.ino)
    })
  }

  allocate(
    nodeid: number,
    range: ChangedRange,
    how: AllocateKind,
    context: ChangeContext,
  ): MaybePromise<void> {
    this.#adopted.changed(nodeid)
    return then(this.#writable(nodeid, context), (working) =>
      working.allocate(inoOf(nodeid), range, how, context),
    )
  }

  async copyRange(from: CopyPlace, to: CopyPlace, length: number, context: ChangeContext): Promise<number> {
    this.#adopted.changed(to.nodeid)
    const working = await this.#writable(to.nodeid, context)
    const shared = await this.#share(from, to, length, working, context)
    if (shared !== undefined) return shared
    const { reading } = this.#options
    const wanted = Math.min(length, largestCopy)
    for (let done = 0; done < wanted; ) {
      const pieces = await reading.read(
        from.nodeid,
        from.offset + done,
        Math.min(copyPiece, wanted - done),
        context,
      )
      const bytes = Buffer.concat(pieces)
      if (bytes.length === 0) return done
      await working.write(inoOf(to.nodeid), to.offset + done, bytes, false, context)
      done += bytes.length
    }
    return wanted
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
    this.#adopted.changed(nodeid)
    return then(this.#writable(nodeid, context), (working) => {
      const ino = inoOf(nodeid)
      if (name === aclXattr) this.#setAcl(working, ino, value, how)
      else working.tree.setXattr(ino, name, value, how)
    })
  }

  removexattr(nodeid: number, name: string, context: ChangeContext): MaybePromise<void> {
    this.#adopted.changed(nodeid)
    return then(this.#writable(nodeid, context), (working) => working.tree.removeXattr(inoOf(nodeid), name))
  }

  async #renameSnapshot({ parent, name }: Place, to: Place, context: ChangeContext): Promise<void> {
    this.#options.check()
    const { tree, snapshots } = this.#options
    const number = parseSnapshotName(to.name)
    const { children } = await tree.listing(tree.folder(parent), context)
    const target = children.get(name)?.target
    if (target === undefined) throw new ChangeError('no-name')
    // EXDEV, which makes mv(1) copy, is for what can be copied: a whole repository would be stored anew before that fails.
    if (!('slot' in target)) throw new ChangeError('bad-place')
    if (parent !== to.parent) throw new ChangeError('other-snapshot')
    if (number === undefined) throw new FuseError('EINVAL')
    if (children.has(to.name)) throw new ChangeError('name-taken')
    await this.#writable(nodeidOf(target.slot, rootIno), context)
    const { repository, entry } = target
    await snapshots.renumber(repository, entry, number, context)
    tree.renameSnapshot(tree.folder(parent), target, number)
  }

  #make(
    parent: number,
    name: string | undefined,
    { umask, ...wanted }: Omit<MadeInode, 'uid' | 'gid'> & AskedMode,
    context: ChangeContext,
    opened?: (working: WritableSnapshot, inode: Inode) => void,
  ): MaybePromise<Entry> {
    return then(this.#writable(parent, context), (working) => {
      const { uid, gid } = context
      const inherited = this.#inherited(working, inoOf(parent), wanted.mode)
      const { ino } = working.tree.make(inoOf(parent), name as FileName | undefined, {
        ...wanted,
        mode: inherited?.mode ?? masked({ ...wanted, umask }),
        uid,
        gid,
      })
      for (const [xattr, acl] of inherited?.acls ?? []) working.tree.setXattr(ino, xattr, acl, 'any')
      const inode = working.tree.inode(ino) as Inode
      opened?.(working, inode)
      return this.#entry(this.#snapshot(parent), inode)
    })
  }

  /** What the default ACL of the folder, if it has one, makes of what is made in it. */
  #inherited(
    { tree }: WritableSnapshot,
    parent: Ino,
    mode: number,
  ): { mode: number; acls: (readonly [string, Buffer])[] } | undefined {
    const given =
      (mode & FileType.mask) === FileType.symlink ? undefined : tree.xattr(parent, defaultAclXattr)
    const inherited = given && inheritedAcl(given, mode)
    if (given === undefined || inherited === undefined) return undefined
    return {
      mode: (mode & FileType.mask) | inherited.mode,
      acls: [
        ...(inherited.isPlain ? [] : [[aclXattr, inherited.acl] as const]),
        ...((mode & FileType.mask) === FileType.folder ? [[defaultAclXattr, given] as const] : []),
      ],
    }
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
    if (clearSetuid) this.#dropCapability(working, ino)
    return working.write(ino, offset, bytes, clearSetuid, context)
  }

  #set(working: WritableSnapshot, ino: Ino, changes: AttributeChanges): void {
    const { uid, gid, mtime, atime } = changes
    const inode = working.tree.inode(ino)
    if (inode === undefined) throw new FuseError('ESTALE')
    const isFolder = (inode.mode & FileType.mask) === FileType.folder
    let { mode } = changes
    if (changes.clearSetuid && !isFolder) {
      this.#dropCapability(working, ino)
      mode ??= withoutSetuid(inode.mode)
    }
    if (changes.mode !== undefined) {
      const acl = working.tree.xattr(ino, aclXattr)
      if (acl !== undefined) working.tree.setXattr(ino, aclXattr, aclWithMode(acl, changes.mode), 'any')
    }
    if ([mode, uid, gid, mtime, atime].some((change) => change !== undefined))
      working.tree.setAttributes(ino, { mode, uid, gid, mtime, atime })
  }

  #dropCapability({ tree }: WritableSnapshot, ino: Ino): void {
    if (tree.xattr(ino, capability) !== undefined) tree.removeXattr(ino, capability)
  }

  #setAcl({ tree }: WritableSnapshot, ino: Ino, value: Buffer, how: 'any' | 'create' | 'replace'): void {
    const inode = tree.inode(ino)
    const effect = inode && effectOfAcl(value, inode.mode)
    if (effect === undefined) throw new FuseError('EINVAL')
    if (!effect.isPlain) tree.setXattr(ino, aclXattr, value, how)
    else if (tree.xattr(ino, aclXattr) !== undefined) tree.removeXattr(ino, aclXattr)
    tree.setAttributes(ino, { mode: effect.mode })
  }

  /** Shares the object when all of a file is copied into an empty one. */
  async #share(
    from: CopyPlace,
    to: CopyPlace,
    length: number,
    working: WritableSnapshot,
    context: ChangeContext,
  ): Promise<number | undefined> {
    if (from.offset !== 0 || to.offset !== 0 || slotOf(from.nodeid) === 0) return undefined
    const source = this.#snapshot(from.nodeid)
    if (source.working?.stagedContent(inoOf(from.nodeid)) !== undefined) return undefined
    const tree = await source.tree(context)
    const inode = tree.inode(inoOf(from.nodeid))
    // Objects are a repository's own.
    if (
      inode?.object === undefined ||
      !isOwn(inode) ||
      inode.size > length ||
      source.repository !== this.#snapshot(to.nodeid).repository
    )
      return undefined
    const extents = inode.sparse ? [...tree.extents(inode.ino, 0)] : undefined
    return working.share(inoOf(to.nodeid), { size: inode.size, object: inode.object, extents })
      ? inode.size
      : undefined
  }

  #linkForeign(
    nodeid: number,
    into: MountedSnapshot,
    working: WritableSnapshot,
    parent: Ino,
    name: FileName,
    context: ChangeContext,
  ): MaybePromise<Inode> {
    const from = this.#snapshot(nodeid)
    if (from.repository !== into.repository) throw new ChangeError('other-snapshot')
    const known = this.#adopted.targetOf(nodeid, into.slot)
    if (known !== undefined && (working.tree.inode(inoOf(known))?.nlink ?? 0) > 0)
      return working.tree.link(inoOf(known), parent, name)
    const staged = from.working?.stagedContent(inoOf(nodeid))
    const size = from.openedTree?.inode(inoOf(nodeid))?.size ?? 0
    // What is not here any more becomes an object first, and what would take long to copy.
    const isStored = staged !== undefined && (staged.begins > 0 || size > largestCopy)
    const whole = isStored ? from.working?.store(inoOf(nodeid), context) : undefined
    const tree = then(whole, () => from.tree(context))
    return then(tree, (tree) => {
      const inode = tree.inode(inoOf(nodeid))
      if (inode === undefined) throw new FuseError('ESTALE')
      if ((inode.mode & FileType.mask) === FileType.folder) throw new ChangeError('not-permitted')
      if (!isOwn(inode)) throw new ChangeError('other-snapshot')
      const adopted = working.adopt(parent, name, {
        inode,
        extents: inode.sparse ? tree.extents(inode.ino, 0) : [],
        xattrs: tree
          .xattrNames(inode.ino)
          .map((xattr) => [xattr, tree.xattr(inode.ino, xattr) as Buffer] as const),
        staged: from.working?.stagedContent(inode.ino),
      })
      return then(adopted, (made) => {
        this.#adopted.add(nodeid, nodeidOf(into.slot, made.ino))
        return made
      })
    })
  }

  #entry(snapshot: MountedSnapshot, inode: Inode): Entry {
    snapshot.remembered()
    return this.#options.reading.entryOf(snapshot, inode)
  }

  #snapshot(nodeid: number): MountedSnapshot {
    const snapshot = this.#options.tree.snapshot(slotOf(nodeid))
    if (snapshot === undefined) throw new FuseError('ESTALE')
    return snapshot
  }

  /** The snapshot that a node is in, made changeable. */
  #writable(nodeid: number, { signal }: ChangeContext): MaybePromise<WritableSnapshot> {
    this.#options.check()
    // Above snapshots there are folders and nothing else.
    if (slotOf(nodeid) === 0) throw new ChangeError('bad-place')
    const snapshot = this.#snapshot(nodeid)
    if (snapshot.working !== undefined) return snapshot.working
    if (snapshot.problem !== undefined) throw snapshot.problem
    // What was superseded is the past.
    if (snapshot.isSuperseded) throw new FuseError('ESTALE')
    return this.#change(snapshot, signal)
  }

  async #change(snapshot: MountedSnapshot, signal: AbortSignal): Promise<WritableSnapshot> {
    // Its tree is open then, and whoever reads goes on with the numbers he has.
    await snapshot.tree({ signal })
    const working = await this.#options.snapshots.change(snapshot.repository, snapshot.entry, { signal })
    snapshot.becomeWorking(working)
    for (const [nodeid, readers] of this.#readers) {
      if (slotOf(nodeid) !== snapshot.slot) continue
      for (let i = 0; i < readers; i++) working.opened(inoOf(nodeid), false)
      this.#readers.delete(nodeid)
    }
    return working
  }
}

function withType({ mode, umask }: AskedMode, type: number): AskedMode {
  return { mode: type | (mode & 0o7777), umask }
}

function masked({ mode, umask }: AskedMode): number {
  return mode & ~umask
}

/**
 * Above snapshots. Who lists a folder takes `files/` and `export/` in it for a repository's own and looks into neither, so that nobody would see a snapshot that is
 * published below them; and what is called like a snapshot with a wrong number is not meant to be a folder of the destination.
 */
function refuseName(name: string): void {
  if (isOwnFolder(name) || name === ownerKey) throw new ChangeError('bad-place')
  if (/^snap\.\d+$/.test(name) && parseSnapshotName(name) === undefined) throw new FuseError('EINVAL')
}

function holdsForeign(children: Listing['children']): boolean {
  return children
    .values()
    .some(({ target }) => target instanceof MountedSnapshot && target.entry.problem?.code === 'foreign')
}

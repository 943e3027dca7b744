import { setImmediate as nextTurn } from 'node:timers/promises'
import { aclWithMode, aclXattr, effectOfAcl } from '../../src/filesystem/posix-acl.ts'
import { FuseError } from '../../src/fuse/errno.ts'
import type {
  AllocateKind,
  AskedMode,
  AttributeChanges,
  Attributes,
  ChangeContext,
  ChangedRange,
  ChangedTime,
  ChangeOperations,
  CopyPlace,
  DirectorySink,
  Entry,
  FuseOperations,
  OpenMode,
  Place,
  RenameKind,
} from '../../src/fuse/operations.ts'
import type { Attr, Kstatfs } from '../../src/fuse/protocol.ts'
import { SparseBytes } from './sparse-bytes.ts'

const type = { mask: 0o170000, folder: 0o040000, file: 0o100000, symlink: 0o120000 }
const setuid = 0o4000
const setgid = 0o2000
const groupExecutes = 0o010

/** Seconds: as long as a mount lives, because all changes come through the kernel that remembers. */
const valid = 3600

interface Named {
  readonly ino: number
  /** Where readdir goes on behind this name. */
  readonly cookie: number
}

interface Node {
  readonly ino: number
  /** `size` and `blocks` are those of `bytes`. */
  readonly attr: Attr
  readonly bytes: SparseBytes
  readonly names: Map<string, Named>
  readonly xattrs: Map<string, Buffer>
  readonly target: string
  parent: number
  lookups: number
}

/** A filesystem in memory that can be changed in every way that the kernel asks for, and holds nothing against it. */
export class MemoryFilesystem implements FuseOperations, ChangeOperations {
  readonly changes: ChangeOperations = this
  readonly #nodes = new Map<number, Node>()
  #lastIno = 0
  /** 1 and 2 are `.` and `..`. */
  #lastCookie = 2
  #open = 0

  constructor() {
    const root = this.#makeNode(undefined, type.folder | 0o755, { uid: process.getuid?.() ?? 0, gid: 0 })
    root.parent = root.ino
    root.lookups = 1
  }

  /** open(2)s that have not been closed. */
  get openFiles(): number {
    return this.#open
  }

  /** Nodes that nobody can reach or holds any more, and that are there all the same. */
  get leftNodes(): number {
    return [...this.#nodes.values()].filter(({ attr, lookups }) => attr.nlink === 0 && lookups === 0).length
  }

  lookup(parent: number, name: string): Entry | undefined {
    const found = this.#node(parent).names.get(name)
    return found && this.#entry(this.#node(found.ino))
  }

  forget(nodeid: number, lookups: number): void {
    const node = this.#node(nodeid)
    node.lookups -= lookups
    this.#drop(node)
  }

  getattr(nodeid: number): Attributes {
    return this.#attributes(this.#node(nodeid))
  }

  readlink(nodeid: number): string {
    return this.#node(nodeid).target
  }

  read(nodeid: number, offset: number, size: number): readonly Uint8Array[] {
    return this.#node(nodeid).bytes.read(offset, size)
  }

  readdir(nodeid: number, cookie: number, sink: DirectorySink): void {
    const folder = this.#node(nodeid)
    if (cookie < 1 && !sink.addHere('.', 1, nodeid)) return
    if (cookie < 2 && !sink.addHere('..', 2, folder.parent)) return
    for (const [name, named] of folder.names) {
      if (named.cookie <= cookie) continue
      const node = this.#node(named.ino)
      const added = sink.add(name, named.cookie, { ...this.#attributes(node), entryValid: valid })
      if (added === 'full') return
      if (added === 'counted') node.lookups++
    }
  }

  statfs(): Kstatfs {
    const blocks = { blocks: 1 << 20, bfree: 1 << 19, bavail: 1 << 19, bsize: 4096, frsize: 4096 }
    const files = { files: 1 << 20, ffree: 1 << 19, namelen: 255 }
    return { ...blocks, ...files, padding: 0, spare0: 0, spare1: 0, spare2: 0 }
  }

  getxattr(nodeid: number, name: string): Buffer | undefined {
    return this.#node(nodeid).xattrs.get(name)
  }

  listxattr(nodeid: number): readonly string[] {
    return [...this.#node(nodeid).xattrs.keys()]
  }

  lseek(nodeid: number, offset: number, want: 'data' | 'hole'): number | undefined {
    return this.#node(nodeid).bytes.seek(offset, want)
  }

  open(): void {
    this.#open++
  }

  async create(
    parent: number,
    name: string,
    asked: AskedMode,
    _open: OpenMode,
    owner: ChangeContext,
  ): Promise<Entry> {
    const entry = this.#make(parent, name, type.file | masked(asked), owner)
    this.#open++
    await nextTurn()
    return entry
  }

  createUnnamed(parent: number, asked: AskedMode, _open: OpenMode, owner: ChangeContext): Entry {
    const node = this.#makeNode(this.#node(parent), type.file | masked(asked), owner)
    node.attr.nlink = 0
    this.#open++
    return this.#entry(node)
  }

  flush(): void {}

  close(): void {
    this.#open--
  }

  async write(nodeid: number, offset: number, bytes: Buffer, clearSetuid: boolean): Promise<void> {
    const node = this.#node(nodeid)
    node.bytes.write(offset, bytes)
    this.#changed(node, clearSetuid)
    await nextTurn()
  }

  fsync(): void {}

  fsyncFolder(): void {}

  setAttributes(nodeid: number, changes: AttributeChanges): Attributes {
    const node = this.#node(nodeid)
    const { attr } = node
    if (changes.mode !== undefined) {
      attr.mode = (attr.mode & type.mask) | changes.mode
      const acl = node.xattrs.get(aclXattr)
      if (acl !== undefined) node.xattrs.set(aclXattr, aclWithMode(acl, changes.mode))
    }
    attr.uid = changes.uid ?? attr.uid
    attr.gid = changes.gid ?? attr.gid
    if (changes.size !== undefined) {
      node.bytes.resize(changes.size)
      this.#changed(node, false)
    }
    if (changes.clearSetuid) clearSetuidOf(node)
    const now = timeNow()
    setTime(attr, 'ctime', now)
    for (const time of ['atime', 'mtime'] as const) {
      const set = changes[time]
      if (set !== undefined) setTime(attr, time, set === 'now' ? now : set)
    }
    return this.#attributes(node)
  }

  makeNode(parent: number, name: string, asked: AskedMode, rdev: number, owner: ChangeContext): Entry {
    return this.#make(parent, name, masked(asked), owner, { rdev })
  }

  makeFolder(parent: number, name: string, asked: AskedMode, owner: ChangeContext): Entry {
    return this.#make(parent, name, type.folder | masked(asked), owner)
  }

  makeSymlink(parent: number, name: string, target: string, owner: ChangeContext): Entry {
    return this.#make(parent, name, type.symlink | 0o777, owner, { target })
  }

  link(nodeid: number, parent: number, name: string): Entry {
    const node = this.#node(nodeid)
    const folder = this.#node(parent)
    if (folder.names.has(name)) throw new FuseError('EEXIST')
    this.#attach(folder, name, node)
    node.attr.nlink++
    setTime(node.attr, 'ctime', timeNow())
    return this.#entry(node)
  }

  unlink(parent: number, name: string): void {
    const node = this.#named(parent, name)
    if (isFolder(node)) throw new FuseError('EISDIR')
    this.#remove(parent, name, node)
  }

  removeFolder(parent: number, name: string): void {
    const node = this.#named(parent, name)
    if (!isFolder(node)) throw new FuseError('ENOTDIR')
    if (node.names.size > 0) throw new FuseError('ENOTEMPTY')
    this.#remove(parent, name, node)
  }

  rename(from: Place, to: Place, how: RenameKind): void {
    const moved = this.#named(from.parent, from.name)
    const there = this.#node(to.parent).names.has(to.name) ? this.#named(to.parent, to.name) : undefined
    if (how === 'exchange') {
      if (there === undefined) throw new FuseError('ENOENT')
      this.#detach(this.#node(from.parent), from.name)
      this.#detach(this.#node(to.parent), to.name)
      this.#attach(this.#node(from.parent), from.name, there)
      this.#attach(this.#node(to.parent), to.name, moved)
      return
    }
    if (there !== undefined && how === 'keep') throw new FuseError('EEXIST')
    if (there === moved) return
    if (there !== undefined && isFolder(there)) this.removeFolder(to.parent, to.name)
    else if (there !== undefined) this.unlink(to.parent, to.name)
    this.#detach(this.#node(from.parent), from.name)
    this.#attach(this.#node(to.parent), to.name, moved)
    setTime(moved.attr, 'ctime', timeNow())
  }

  allocate(nodeid: number, { offset, length }: ChangedRange, how: AllocateKind): void {
    const node = this.#node(nodeid)
    if (how !== 'allocate' && how !== 'allocateKeepingSize') node.bytes.punch(offset, length)
    if (how === 'allocate' || how === 'zero') node.bytes.resize(Math.max(node.bytes.size, offset + length))
    this.#changed(node, false)
  }

  copyRange(from: CopyPlace, to: CopyPlace, length: number): number {
    const bytes = Buffer.concat(this.#node(from.nodeid).bytes.read(from.offset, Math.min(length, 1 << 24)))
    const target = this.#node(to.nodeid)
    target.bytes.write(to.offset, bytes)
    this.#changed(target, false)
    return bytes.length
  }

  setxattr(nodeid: number, name: string, value: Buffer, how: 'any' | 'create' | 'replace'): void {
    const node = this.#node(nodeid)
    if (how === 'create' && node.xattrs.has(name)) throw new FuseError('EEXIST')
    if (how === 'replace' && !node.xattrs.has(name)) throw new FuseError('ENODATA')
    node.xattrs.set(name, value)
    if (name === aclXattr) this.#showAcl(node, value)
    setTime(node.attr, 'ctime', timeNow())
  }

  removexattr(nodeid: number, name: string): void {
    const node = this.#node(nodeid)
    if (!node.xattrs.delete(name)) throw new FuseError('ENODATA')
    setTime(node.attr, 'ctime', timeNow())
  }

  #node(nodeid: number): Node {
    const node = this.#nodes.get(nodeid)
    if (node === undefined) throw new FuseError('ESTALE')
    return node
  }

  #showAcl({ attr, xattrs }: Node, acl: Buffer): void {
    const effect = effectOfAcl(acl, attr.mode)
    if (effect === undefined) throw new FuseError('EINVAL')
    attr.mode = (attr.mode & type.mask) | effect.mode
    if (effect.isPlain) xattrs.delete(aclXattr)
  }

  #named(parent: number, name: string): Node {
    const found = this.#node(parent).names.get(name)
    if (found === undefined) throw new FuseError('ENOENT')
    return this.#node(found.ino)
  }

  #attributes({ attr, bytes, target }: Node): Attributes {
    return { attr: { ...attr, size: bytes.size + target.length, blocks: bytes.blocks }, attrValid: valid }
  }

  #entry(node: Node): Entry {
    node.lookups++
    return { ...this.#attributes(node), entryValid: valid }
  }

  #make(
    parent: number,
    name: string,
    mode: number,
    owner: { uid: number; gid: number },
    special: { rdev?: number; target?: string } = {},
  ): Entry {
    const folder = this.#node(parent)
    if (folder.names.has(name)) throw new FuseError('EEXIST')
    const node = this.#makeNode(folder, mode, owner, special)
    this.#attach(folder, name, node)
    return this.#entry(node)
  }

  #makeNode(
    folder: Node | undefined,
    mode: number,
    { uid, gid }: { uid: number; gid: number },
    { rdev = 0, target = '' } = {},
  ): Node {
    const ino = ++this.#lastIno
    const inherits = folder !== undefined && (folder.attr.mode & setgid) !== 0
    const isFolder = (mode & type.mask) === type.folder
    const now = timeNow()
    const attr: Attr = {
      ino,
      size: 0,
      blocks: 0,
      atime: now.seconds,
      mtime: now.seconds,
      ctime: now.seconds,
      atimensec: now.nanoseconds,
      mtimensec: now.nanoseconds,
      ctimensec: now.nanoseconds,
      mode: inherits && isFolder ? mode | setgid : mode,
      nlink: isFolder ? 2 : 1,
      uid,
      gid: inherits ? folder.attr.gid : gid,
      rdev,
      blksize: 4096,
      flags: 0,
    }
    const bytes = new SparseBytes()
    const node = { ino, attr, bytes, names: new Map(), xattrs: new Map(), target, parent: 0, lookups: 0 }
    this.#nodes.set(ino, node)
    return node
  }

  #attach(folder: Node, name: string, node: Node): void {
    folder.names.set(name, { ino: node.ino, cookie: ++this.#lastCookie })
    if (isFolder(node)) {
      node.parent = folder.ino
      folder.attr.nlink++
    }
    this.#changed(folder, false)
  }

  #detach(folder: Node, name: string): void {
    const node = this.#named(folder.ino, name)
    folder.names.delete(name)
    if (isFolder(node)) folder.attr.nlink--
    this.#changed(folder, false)
  }

  #remove(parent: number, name: string, node: Node): void {
    this.#detach(this.#node(parent), name)
    node.attr.nlink -= isFolder(node) ? 2 : 1
    setTime(node.attr, 'ctime', timeNow())
    this.#drop(node)
  }

  #drop({ ino, attr, lookups }: Node): void {
    if (attr.nlink === 0 && lookups === 0) this.#nodes.delete(ino)
  }

  #changed(node: Node, clearSetuid: boolean): void {
    const now = timeNow()
    setTime(node.attr, 'mtime', now)
    setTime(node.attr, 'ctime', now)
    if (clearSetuid) clearSetuidOf(node)
  }
}

function masked({ mode, umask }: AskedMode): number {
  return mode & ~umask
}

function isFolder({ attr }: Node): boolean {
  return (attr.mode & type.mask) === type.folder
}

function clearSetuidOf({ attr, xattrs }: Node): void {
  attr.mode &= (attr.mode & groupExecutes) === 0 ? ~setuid : ~(setuid | setgid)
  xattrs.delete('security.capability')
}

function timeNow(): ChangedTime {
  const now = Date.now()
  return { seconds: Math.floor(now / 1000), nanoseconds: (now % 1000) * 1e6 }
}

function setTime(attr: Attr, time: 'atime' | 'mtime' | 'ctime', { seconds, nanoseconds }: ChangedTime): void {
  attr[time] = seconds
  attr[`${time}nsec`] = nanoseconds
}

import { ChangeError, type ChangeErrorCode } from '../../src/snapshot/errors.ts'
import type { Timestamp } from '../../src/snapshot/tree.ts'

const Type = { mask: 0o170000, folder: 0o040000, file: 0o100000 } as const

/** A file, folder or anything else, as simply as can be. */
export interface Node {
  readonly id: number
  /** The number of its snapshot. */
  readonly snapshot: number
  mode: number
  uid: number
  gid: number
  readonly rdev: number
  readonly target: string | undefined
  bytes: Buffer
  /** undefined: when it was changed last. */
  mtime: Timestamp | undefined
  readonly xattrs: Map<string, string>
  /** Of a folder. */
  readonly entries: Map<string, Node>
  parent: Node | undefined
  /** Names; a folder's own is one. */
  names: number
  opens: number
  /** Grows with each change of content or attributes. */
  version: number
}

export interface At {
  readonly folder: Node
  readonly name: string
}

export type Kind = 'replace' | 'keep' | 'exchange'

/** What the changes of a few snapshots should come to: no store, no journal, no crash. Throws the `ChangeError` that a tree throws. */
export class Reference {
  readonly roots: readonly Node[]
  readonly nodes = new Set<Node>()
  #lastId = 0
  /** `source:snapshot` → the file made of it there, and the versions of both. */
  #adopted = new Map<string, { target: Node; versions: string }>()

  constructor(snapshots: readonly number[], top: { mode: number; uid: number; gid: number }) {
    this.roots = snapshots.map((snapshot) => {
      const root = this.#node({ snapshot, ...top })
      root.names = 1
      return root
    })
  }

  make(
    at: At | Node,
    made: { mode: number; uid: number; gid: number; rdev?: number; target?: string },
  ): Node {
    const folder = 'folder' in at ? at.folder : at
    this.#refuseNoFolder(folder)
    if ('folder' in at) this.#refuseTaken(at)
    const inherits = (folder.mode & 0o2000) !== 0
    const isFolder = (made.mode & Type.mask) === Type.folder
    const node = this.#node({
      ...made,
      snapshot: folder.snapshot,
      mode: inherits && isFolder ? made.mode | 0o2000 : made.mode,
      gid: inherits ? folder.gid : made.gid,
    })
    if ('folder' in at) this.#attach(at, node)
    return node
  }

  link(node: Node, at: At): Node {
    if (node.snapshot !== at.folder.snapshot) return this.#adopt(node, at)
    if (isFolder(node)) refuse('not-permitted')
    this.#refuseNoFolder(at.folder)
    this.#refuseTaken(at)
    this.#attach(at, node)
    return node
  }

  unlink(at: At): void {
    const node = this.#named(at)
    if (isFolder(node)) refuse('is-folder')
    this.#detach(at)
  }

  removeFolder(at: At): void {
    const node = this.#named(at)
    this.#refuseFull(node)
    this.#detach(at)
  }

  rename(from: At, to: At, how: Kind): void {
    if (from.folder.snapshot !== to.folder.snapshot) refuse('other-snapshot')
    const moved = this.#named(from)
    this.#refuseNoFolder(to.folder)
    const there = to.folder.entries.get(to.name)
    this.#refuseIntoItself(moved, to.folder)
    if (how === 'exchange') {
      if (there === undefined) throw new ChangeError('no-name')
      if (there === moved) return
      this.#refuseIntoItself(there, from.folder)
      this.#detach(from)
      this.#detach(to)
      this.#attach(from, there)
      this.#attach(to, moved)
      return
    }
    if (there !== undefined) {
      if (how === 'keep') refuse('name-taken')
      if (there === moved) return
      if (isFolder(moved)) this.#refuseFull(there)
      else if (isFolder(there)) refuse('is-folder')
      this.#detach(to)
    }
    this.#detach(from)
    this.#attach(to, moved)
  }

  write(node: Node, offset: number, bytes: Buffer): void {
    const size = Math.max(node.bytes.length, offset + bytes.length)
    const whole = Buffer.alloc(size)
    node.bytes.copy(whole)
    bytes.copy(whole, offset)
    this.#changed(node, whole)
  }

  resize(node: Node, size: number): void {
    const whole = Buffer.alloc(size)
    node.bytes.copy(whole)
    this.#changed(node, whole)
  }

  zero(node: Node, offset: number, length: number): void {
    const whole = Buffer.from(node.bytes)
    whole.fill(0, Math.min(offset, whole.length), Math.min(offset + length, whole.length))
    this.#changed(node, whole)
  }

  clearSetuid(node: Node): void {
    node.mode &= ~(0o4000 | (node.mode & 0o010 ? 0o2000 : 0))
  }

  /** Nobody has anything open any more. */
  closeAll(): void {
    this.#adopted = new Map()
    for (const node of this.nodes) {
      node.opens = 0
      if (node.names === 0) this.nodes.delete(node)
    }
  }

  linksOf(node: Node): number {
    if (!isFolder(node) || node.names === 0) return node.names
    return 2 + [...node.entries.values()].filter(isFolder).length
  }

  /** Without its last name, and closed. */
  isGone({ names, opens }: Node): boolean {
    return names === 0 && opens === 0
  }

  #adopt(node: Node, at: At): Node {
    const key = `${node.id}:${at.folder.snapshot}`
    const known = this.#adopted.get(key)
    if (known !== undefined && known.target.names > 0 && known.versions === versionsOf(node, known.target))
      return this.link(known.target, at)
    if (isFolder(node)) refuse('not-permitted')
    this.#refuseNoFolder(at.folder)
    this.#refuseTaken(at)
    const { mode, uid, gid, rdev, target, bytes, mtime } = node
    const made = this.#node({ snapshot: at.folder.snapshot, mode, uid, gid, rdev, target })
    made.bytes = bytes
    made.mtime = mtime
    for (const [name, value] of node.xattrs) made.xattrs.set(name, value)
    this.#attach(at, made)
    this.#adopted.set(key, { target: made, versions: versionsOf(node, made) })
    return made
  }

  #node(given: {
    snapshot: number
    mode: number
    uid: number
    gid: number
    rdev?: number
    target?: string | undefined
  }): Node {
    const node: Node = {
      rdev: 0,
      target: undefined,
      ...given,
      id: ++this.#lastId,
      bytes: Buffer.alloc(0),
      mtime: undefined,
      xattrs: new Map(),
      entries: new Map(),
      parent: undefined,
      names: 0,
      opens: 0,
      version: 0,
    }
    this.nodes.add(node)
    return node
  }

  #attach({ folder, name }: At, node: Node): void {
    folder.entries.set(name, node)
    folder.mtime = undefined
    node.names++
    if (isFolder(node)) node.parent = folder
  }

  #detach({ folder, name }: At): void {
    const node = folder.entries.get(name) as Node
    folder.entries.delete(name)
    folder.mtime = undefined
    node.names--
  }

  #changed(node: Node, bytes: Buffer): void {
    node.bytes = bytes
    node.mtime = undefined
    node.version++
  }

  #named({ folder, name }: At): Node {
    return folder.entries.get(name) ?? refuse('no-name')
  }

  #refuseNoFolder(folder: Node): void {
    if (!isFolder(folder)) refuse('no-folder')
    if (folder.names === 0) refuse('no-name')
  }

  #refuseTaken({ folder, name }: At): void {
    if (folder.entries.has(name)) refuse('name-taken')
  }

  #refuseFull(node: Node): void {
    if (!isFolder(node)) refuse('no-folder')
    if (node.entries.size > 0) refuse('not-empty')
  }

  #refuseIntoItself(moved: Node, target: Node): void {
    for (let at: Node | undefined = target; at !== undefined; at = at.parent)
      if (at === moved) refuse('into-itself')
  }
}

export function isFolder({ mode }: Node): boolean {
  return (mode & Type.mask) === Type.folder
}

export function isFile({ mode }: Node): boolean {
  return (mode & Type.mask) === Type.file
}

function versionsOf(source: Node, target: Node): string {
  return `${source.version} ${target.version}`
}

function refuse(code: ChangeErrorCode): never {
  throw new ChangeError(code)
}

import type { Attributes, Entry } from '../fuse/operations.ts'
import type { Attr } from '../fuse/protocol.ts'
import { createdOf } from '../snapshot/catalog.ts'
import { rootIno } from '../snapshot/schema.ts'
import { timestampOfMillis } from '../snapshot/timestamp.ts'
import type { Inode } from '../snapshot/tree.ts'
import { attributesOf, FileType, folderSize, makeAttr, sectorSize } from './attributes.ts'
import type { Child, Node } from './folder.ts'
import { nodeidOf } from './inode-number.ts'
import { MountedSnapshot } from './mounted-snapshot.ts'
import { briefly, folderAttr, linkAttr, type Mounter, storedFileAttr } from './node-attributes.ts'

export interface EntriesOptions {
  readonly mounter: Mounter
  /** Folders can be made above snapshots. */
  readonly isWritable: boolean
}

/** A published snapshot never changes: the kernel need not ask again (seconds). */
const forever = 2 ** 31

/** What the kernel is told of nodes above snapshots, of snapshots' folders, and of inodes in them, and for how long it may believe it. */
export class Entries {
  readonly #mounter: Mounter
  readonly #isWritable: boolean

  constructor({ mounter, isWritable }: EntriesOptions) {
    this.#mounter = mounter
    this.#isWritable = isWritable
  }

  ofChild({ target }: Child): Entry {
    const attributes =
      target instanceof MountedSnapshot ? this.rootAttributes(target) : this.nodeAttributes(target)
    return { ...attributes, entryValid: briefly }
  }

  /** Of a file that is shown in a snapshot and is none of its tree. */
  ofOwnFile(file: Node | undefined): Entry | undefined {
    return file && { attr: this.#nodeAttr(file), attrValid: forever, entryValid: forever }
  }

  ofInode(snapshot: MountedSnapshot, inode: Inode): Entry {
    return { attr: inodeAttr(snapshot, inode), attrValid: forever, entryValid: forever }
  }

  nodeAttributes(node: Node): Attributes {
    return { attr: this.#nodeAttr(node), attrValid: briefly }
  }

  rootAttributes(snapshot: MountedSnapshot): Attributes {
    // Of what something else wrote they are others when its tree is open.
    const isPreliminary = snapshot.entry.manifest?.jbfs === undefined && snapshot.openedTree === undefined
    return { attr: this.#rootAttr(snapshot), attrValid: isPreliminary ? 0 : briefly }
  }

  inodeAttributes(snapshot: MountedSnapshot, inode: Inode): Attributes {
    return { attr: inodeAttr(snapshot, inode), attrValid: forever }
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
      blocks: folderSize / sectorSize,
      mtime: created,
      ctime: created,
      ...root,
    })
  }

  #nodeAttr(node: Node): Attr {
    const { nodeid } = node
    if (node.kind === 'folder') {
      const permissions = this.#isWritable ? 0o755 : 0o555
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
}

function inodeAttr({ slot, working }: MountedSnapshot, inode: Inode): Attr {
  return attributesOf(inode, nodeidOf(slot, inode.ino), working?.stagedContent(inode.ino)?.blocks)
}

import { FuseError } from '../fuse/errno.ts'
import type { ChangeContext, MaybePromise, Place } from '../fuse/operations.ts'
import { ChangeError } from '../snapshot/errors.ts'
import { type FileName, type Inode, isOwn, type Tree } from '../snapshot/tree.ts'
import type { WritableSnapshot } from '../snapshot/writable-tree.ts'
import { Adopted } from './adopted.ts'
import { FileType } from './attributes.ts'
import type { ChangeableSnapshots } from './changeable-snapshots.ts'
import { largestCopy } from './copy-range.ts'
import { inoOf, nodeidOf } from './inode-number.ts'
import type { MountedSnapshot } from './mounted-snapshot.ts'
import { then } from './then.ts'

/** Links of files of one snapshot into another one of its repository (`cp -al`, `rsync --link-dest`): each snapshot has an inode of its own, and both share the content. */
export class LinksAcross {
  readonly #changeable: ChangeableSnapshots
  readonly #adopted = new Adopted()

  constructor(changeable: ChangeableSnapshots) {
    this.#changeable = changeable
  }

  /** The file is about to be another one than those it was linked to, or made of. */
  changed(nodeid: number): void {
    this.#adopted.changed(nodeid)
  }

  /** `working` is the snapshot that `to` is in. */
  link(nodeid: number, to: Place, working: WritableSnapshot, context: ChangeContext): MaybePromise<Inode> {
    const from = this.#changeable.of(nodeid)
    const into = this.#changeable.of(to.parent)
    if (from.repository !== into.repository) throw new ChangeError('other-snapshot')
    const [ino, parent, name] = [inoOf(nodeid), inoOf(to.parent), to.name as FileName]
    const known = this.#adopted.targetOf(nodeid, into.slot)
    if (known !== undefined && (working.tree.inode(inoOf(known))?.nlink ?? 0) > 0)
      return working.tree.link(inoOf(known), parent, name)
    return then(this.#stored(from, nodeid, context), (tree) => {
      const inode = tree.inode(ino)
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

  /** The tree of a file: when what is not here any more of it has become an object, or what would take long to copy. */
  #stored(from: MountedSnapshot, nodeid: number, context: ChangeContext): MaybePromise<Tree> {
    const ino = inoOf(nodeid)
    const staged = from.working?.stagedContent(ino)
    const size = from.openedTree?.inode(ino)?.size ?? 0
    const becomesObject = staged !== undefined && (staged.begins > 0 || size > largestCopy)
    const whole = becomesObject ? from.working?.store(ino, context) : undefined
    return then(whole, () => from.tree(context))
  }
}

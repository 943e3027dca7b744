import { ChangeError } from '../snapshot/errors.ts'
import { type FileName, type Ino, isFolderMode, type OwnInode, type OwnTree } from '../snapshot/tree.ts'

/** What a change of `tree` is refused for, as Linux refuses it: each throws `ChangeError`, or returns what the change is of. */

export function presentIn(tree: OwnTree, ino: Ino): OwnInode {
  const inode = tree.inode(ino)
  if (inode === undefined) throw new ChangeError('no-name')
  return inode
}

/** One in which names can be made. */
export function folderIn(tree: OwnTree, ino: Ino): OwnInode {
  const folder = presentIn(tree, ino)
  if (!isFolderMode(folder.mode)) throw new ChangeError('no-folder')
  // One that was removed while somebody stands in it.
  if (folder.nlink === 0) throw new ChangeError('no-name')
  return folder
}

export function namedIn(tree: OwnTree, parent: Ino, name: FileName): OwnInode {
  const inode = tree.lookup(parent, name)
  if (inode === undefined) throw new ChangeError('no-name')
  return inode
}

export function refuseTaken(tree: OwnTree, parent: Ino, name: FileName): void {
  if (tree.lookup(parent, name) !== undefined) throw new ChangeError('name-taken')
}

/** What is no empty folder. */
export function refuseFull(tree: OwnTree, { ino, mode }: OwnInode): void {
  if (!isFolderMode(mode)) throw new ChangeError('no-folder')
  for (const _ of tree.entries(ino, 0)) throw new ChangeError('not-empty')
}

/** What rename(2) does not put in the place of what is there. */
export function refuseReplacing(tree: OwnTree, moved: OwnInode, there: OwnInode): void {
  if (isFolderMode(moved.mode)) refuseFull(tree, there)
  else if (isFolderMode(there.mode)) throw new ChangeError('is-folder')
}

/** A folder that would lie below itself in `target`. */
export function refuseIntoItself(tree: OwnTree, { ino, mode }: OwnInode, target: Ino): void {
  if (!isFolderMode(mode)) return
  for (let at = target; ; at = tree.parentOf(at)) {
    if (at === ino) throw new ChangeError('into-itself')
    if (at === tree.root) return
  }
}

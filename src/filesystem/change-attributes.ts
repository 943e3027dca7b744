import { FuseError } from '../fuse/errno.ts'
import type { AttributeChanges } from '../fuse/operations.ts'
import { withoutSetuid } from '../snapshot/setuid.ts'
import type { Ino } from '../snapshot/tree.ts'
import type { WritableTree } from '../snapshot/writable-tree.ts'
import { FileType } from './attributes.ts'
import { aclWithMode, aclXattr, effectOfAcl } from './posix-acl.ts'

/** What Linux keeps in agreement with each other when one of them changes: modes, ACLs, setuid bits and capabilities. */

const capability = 'security.capability'

/** All of `changes` but the size. */
export function changeAttributes(tree: WritableTree, ino: Ino, changes: AttributeChanges): void {
  const { uid, gid, mtime, atime } = changes
  const inode = tree.inode(ino)
  if (inode === undefined) throw new FuseError('ESTALE')
  const isFolder = (inode.mode & FileType.mask) === FileType.folder
  let { mode } = changes
  if (changes.clearSetuid && !isFolder) {
    dropCapability(tree, ino)
    mode ??= withoutSetuid(inode.mode)
  }
  if (changes.mode !== undefined) {
    const acl = tree.xattr(ino, aclXattr)
    if (acl !== undefined) tree.setXattr(ino, aclXattr, aclWithMode(acl, changes.mode), 'any')
  }
  if ([mode, uid, gid, mtime, atime].some((change) => change !== undefined))
    tree.setAttributes(ino, { mode, uid, gid, mtime, atime })
}

export function dropCapability(tree: WritableTree, ino: Ino): void {
  if (tree.xattr(ino, capability) !== undefined) tree.removeXattr(ino, capability)
}

/** Any extended attribute; an ACL that says no more than a mode becomes one. */
export function changeXattr(
  tree: WritableTree,
  ino: Ino,
  name: string,
  value: Buffer,
  how: 'any' | 'create' | 'replace',
): void {
  if (name !== aclXattr) {
    tree.setXattr(ino, name, value, how)
    return
  }
  const inode = tree.inode(ino)
  const effect = inode && effectOfAcl(value, inode.mode)
  if (effect === undefined) throw new FuseError('EINVAL')
  if (!effect.isPlain) tree.setXattr(ino, aclXattr, value, how)
  else if (tree.xattr(ino, aclXattr) !== undefined) tree.removeXattr(ino, aclXattr)
  tree.setAttributes(ino, { mode: effect.mode })
}

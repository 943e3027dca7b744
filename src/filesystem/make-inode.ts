import type { AskedMode } from '../fuse/operations.ts'
import type { FileName, Ino, Inode } from '../snapshot/tree.ts'
import type { MadeInode, WritableTree } from '../snapshot/writable-tree.ts'
import { FileType } from './attributes.ts'
import { aclXattr, defaultAclXattr, inheritedAcl } from './posix-acl.ts'

/** What is asked for; a default ACL of the folder takes the umask's place. */
export type AskedInode = MadeInode & AskedMode

/** Makes an inode in a folder, as open(2), mkdir(2) and their like do; without a `name` it is nowhere. */
export function makeInode(
  tree: WritableTree,
  parent: Ino,
  name: string | undefined,
  { umask, ...wanted }: AskedInode,
): Inode {
  const inherited = inheritedFrom(tree, parent, wanted.mode)
  const mode = inherited?.mode ?? masked({ mode: wanted.mode, umask })
  const { ino } = tree.make(parent, name as FileName | undefined, { ...wanted, mode })
  for (const [xattr, acl] of inherited?.acls ?? []) tree.setXattr(ino, xattr, acl, 'any')
  return tree.inode(ino) as Inode
}

export function withType({ mode, umask }: AskedMode, type: number): AskedMode {
  return { mode: type | (mode & 0o7777), umask }
}

export function masked({ mode, umask }: AskedMode): number {
  return mode & ~umask
}

/** What the default ACL of the folder, if it has one, makes of what is made in it. */
function inheritedFrom(
  tree: WritableTree,
  parent: Ino,
  mode: number,
): { mode: number; acls: (readonly [string, Buffer])[] } | undefined {
  const given = (mode & FileType.mask) === FileType.symlink ? undefined : tree.xattr(parent, defaultAclXattr)
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

/** Tags of the entries, from `linux/posix_acl.h`. */
const Tag = { userObject: 0x01, user: 0x02, groupObject: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const

/** The attribute that holds the ACL of an inode, and with it the permissions that its mode shows. */
export const aclXattr = 'system.posix_acl_access'

/** Of a folder: what is made in it begins with. */
export const defaultAclXattr = 'system.posix_acl_default'

/** Version, then tag, permissions and id of each entry: `linux/posix_acl_xattr.h`, little-endian. */
const headerSize = 4
const entrySize = 8
const version = 2

export interface AclEffect {
  /** Permission bits of the mode, as chmod(2) has them, with this ACL. */
  readonly mode: number
  /** It says no more than the mode does, and is not kept. */
  readonly isPlain: boolean
}

/** What setting an ACL makes of a mode (posix_acl_update_mode in the kernel); undefined: it is no ACL. */
export function effectOfAcl(acl: Buffer, mode: number): AclEffect | undefined {
  const entries = entriesOf(acl)
  if (entries === undefined) return undefined
  const of = (tag: number): number | undefined => entries.find((entry) => entry.tag === tag)?.permissions
  const [user, group, other] = [of(Tag.userObject), of(Tag.groupObject), of(Tag.other)]
  if (user === undefined || group === undefined || other === undefined) return undefined
  const isPlain = entries.every(({ tag }) =>
    [Tag.userObject, Tag.groupObject, Tag.other].some((plain) => plain === tag),
  )
  const shown = of(Tag.mask) ?? group
  return { mode: (mode & 0o7000) | (user << 6) | (shown << 3) | other, isPlain }
}

/** The same ACL after chmod(2) (posix_acl_chmod): what the mode shows of it is the mode's. */
export function aclWithMode(acl: Buffer, mode: number): Buffer {
  const changed = Buffer.from(acl)
  const entries = entriesOf(acl) ?? []
  const hasMask = entries.some(({ tag }) => tag === Tag.mask)
  for (const [index, { tag }] of entries.entries()) {
    const at = headerSize + index * entrySize + 2
    if (tag === Tag.userObject) changed.writeUInt16LE((mode >> 6) & 7, at)
    else if (tag === (hasMask ? Tag.mask : Tag.groupObject)) changed.writeUInt16LE((mode >> 3) & 7, at)
    else if (tag === Tag.other) changed.writeUInt16LE(mode & 7, at)
  }
  return changed
}

/**
 * The ACL, and the permission bits, of what is made with `mode` in a folder with this default ACL (posix_acl_create): each has what both allow. undefined: it is
 * no ACL.
 */
export function inheritedAcl(acl: Buffer, mode: number): (AclEffect & { readonly acl: Buffer }) | undefined {
  const given = effectOfAcl(acl, mode)
  if (given === undefined) return undefined
  const both = (mode & 0o7000) | (mode & given.mode & 0o777)
  return { mode: both, isPlain: given.isPlain, acl: aclWithMode(acl, both) }
}

function entriesOf(acl: Buffer): { tag: number; permissions: number }[] | undefined {
  if (acl.length < headerSize || (acl.length - headerSize) % entrySize !== 0) return undefined
  if (acl.readUInt32LE(0) !== version) return undefined
  const count = (acl.length - headerSize) / entrySize
  return Array.from({ length: count }, (_, index) => ({
    tag: acl.readUInt16LE(headerSize + index * entrySize),
    permissions: acl.readUInt16LE(headerSize + index * entrySize + 2) & 7,
  }))
}

/** Tags of the entries, from `linux/posix_acl.h`. An ACL has them in this order. */
const USER_OBJ = 0x01
const USER = 0x02
const GROUP_OBJ = 0x04
const GROUP = 0x08
const MASK = 0x10
const OTHER = 0x20

/** The id of entries that name nobody (ACL_UNDEFINED_ID). */
const nobody = 0xffff_ffff

interface AclEntry {
  readonly tag: number
  readonly permissions: number
  readonly id?: number | undefined
}

/** An ACL as the attributes `system.posix_acl_*` have it (`linux/posix_acl_xattr.h`, version 2; little-endian). */
function encode(entries: readonly AclEntry[]): Buffer {
  const encoded = Buffer.alloc(4 + 8 * entries.length)
  encoded.writeUInt32LE(2)
  for (const [index, { tag, permissions, id = nobody }] of entries.entries()) {
    encoded.writeUInt16LE(tag, 4 + 8 * index)
    encoded.writeUInt16LE(permissions, 6 + 8 * index)
    encoded.writeUInt32LE(id, 8 + 8 * index)
  }
  return encoded
}

/**
 * An ACL that names a user and a group besides the owner. `mask` is what the inode's mode then shows as its group's permissions.
 */
export function namedAcl(owner: number, mask: number): Buffer {
  return encode([
    { tag: USER_OBJ, permissions: owner },
    { tag: USER, permissions: 0o4, id: 1_001 },
    { tag: GROUP_OBJ, permissions: 0o4 },
    { tag: GROUP, permissions: mask, id: 12 },
    { tag: MASK, permissions: mask },
    { tag: OTHER, permissions: 0 },
  ])
}

export interface MountFlags {
  /** Let other users in. */
  readonly allowOther: boolean
  /** Without, the mount is read-only. */
  readonly changes: boolean
}

/** Backups come from elsewhere: their setuid bits and device nodes are shown, never honoured. */
const safeFlags = ['nosuid', 'nodev']

/** A mount's options other than those that say which mount it is, joined by commas. */
export function mountFlags({ allowOther, changes }: MountFlags): string {
  const flags = changes ? [...safeFlags] : ['ro', ...safeFlags]
  if (allowOther) flags.push('allow_other')
  if (checksPermissions({ allowOther, changes })) flags.push('default_permissions')
  return flags.join(',')
}

/**
 * Whether the kernel refuses what permissions forbid. Only the mount's owner can enter without allow_other, and they hold the keys to all of it;
 * anybody else gets what the permissions in the backup give them. Where something can be changed they hold for the owner too: `ChangeOperations` checks none.
 */
export function checksPermissions({ allowOther, changes }: MountFlags): boolean {
  return allowOther || changes
}

/** Of a mount's options, which are joined by commas: one in the source's name would begin another. */
export function fsnameOf(source: string): string {
  return source.replaceAll(/[\\,]/g, '\\$&')
}

import { readFileSync } from 'node:fs'
import { contains } from './containment.ts'

/** One line of /proc/self/mountinfo (proc(5)). */
export interface MountInfo {
  /** Of this mount, and of no other while it is there. */
  readonly id: number
  readonly mountpoint: string
  /** `major:minor`, as in /sys/class/bdi. */
  readonly device: string
  /** Which folder of its file system is mounted: not `/` for a bind mount of another one. */
  readonly root: string
  /** `fuse.jbfs` for ours. */
  readonly type: string
  readonly source: string
  /** Numeric user id of whom a FUSE mount is (mount.fuse(8)); undefined for all others. */
  readonly owner: number | undefined
}

/** The mounts of this process's namespace, oldest first. */
export function mounts(text: string = readFileSync('/proc/self/mountinfo', 'utf8')): MountInfo[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [left = '', right = ''] = line.split(' - ')
      const [id, , device = '', root = '', mountpoint = ''] = left.split(' ')
      const [type = '', source = '', options = ''] = right.split(' ')
      const owner = /(?:^|,)user_id=(\d+)/.exec(options)?.[1]
      return {
        id: Number(id),
        mountpoint: unescapeOctal(mountpoint),
        device,
        root: unescapeOctal(root),
        type,
        source: unescapeOctal(source),
        owner: owner === undefined ? undefined : Number(owner),
      }
    })
}

/** What is mounted at exactly this canonical path; the uppermost where mounts are stacked. Asks nothing of the mount itself. */
export function mountAt(path: string, table = mounts()): MountInfo | undefined {
  return table.findLast(({ mountpoint }) => mountpoint === path)
}

/** The mount that holds a canonical path: the uppermost of those at the nearest folder above. */
export function mountOf(path: string, table = mounts()): MountInfo | undefined {
  return table
    .filter(({ mountpoint }) => contains(mountpoint, path))
    .reduce<MountInfo | undefined>(
      (nearest, next) => (next.mountpoint.length >= (nearest?.mountpoint.length ?? 0) ? next : nearest),
      undefined,
    )
}

/** The kernel writes blank, tab, newline and backslash as three octal digits, and the bytes of a name as they are. */
function unescapeOctal(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}

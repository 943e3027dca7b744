import { dirname, join, relative } from 'node:path'
import { contains, nearestRealpath } from './containment.ts'
import { mounts } from './mountinfo.ts'

/**
 * Names of a folder, the first, and of all around it: each by its file system and its path in there, so that a folder has the same name by
 * whatever path, symlink or bind mount it is reached. Good for comparing as long as nothing is mounted or unmounted.
 */
export function folderNames(path: string, table = mounts()): string[] {
  return upwards(nearestRealpath(path)).flatMap((folder) => {
    const { device, root, mountpoint } =
      table.findLast((mount) => contains(mount.mountpoint, folder)) ?? noMount
    // Of a bind mount the folders around it in its file system, too.
    return upwards(join(root, relative(mountpoint, folder))).map((inside) => `${device} ${inside}`)
  })
}

/** In a chroot the root need not be one. */
const noMount = { device: '', root: '/', mountpoint: '/' }

function upwards(path: string): string[] {
  return path === '/' || path === '.' ? [path] : [path, ...upwards(dirname(path))]
}

import { createHash } from 'node:crypto'
import {
  type BigIntStats,
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs'
import { lgetxattr, llistxattr, lseekData, lseekHole } from '../../src/base/libc.ts'

/** One inode's name and all that a backup has to keep of it. Bytes are strings of latin1. */
export interface InventoryEntry {
  readonly path: string
  readonly mode: string
  readonly uid: bigint
  readonly gid: bigint
  readonly mtime: bigint
  readonly size: bigint | undefined
  readonly device: bigint | undefined
  readonly target: string | undefined
  /** Of the data and where it is; holes are not read. */
  readonly sha256: string | undefined
  readonly xattrs: readonly (readonly [string, string])[]
  /** The first path of this inode, where it has several. */
  readonly linkedTo: string | undefined
}

/** Every inode below `root`, and `root` itself, by path: two trees are the same when these are. */
export function inventory(root: string): Map<string, InventoryEntry> {
  const entries = new Map<string, InventoryEntry>()
  const firstPaths = new Map<bigint, string>()
  const visit = (path: Buffer, relative: string): void => {
    const stats = lstatSync(path, { bigint: true })
    const first = firstPaths.get(stats.ino)
    if (!stats.isDirectory() && stats.nlink > 1n && first === undefined) firstPaths.set(stats.ino, relative)
    entries.set(relative, { ...describe(path, stats), path: relative, linkedTo: first })
    if (!stats.isDirectory()) return
    const names = readdirSync(path, { encoding: 'buffer' }).map((name) => name.toString('latin1'))
    for (const name of names.sort())
      visit(Buffer.concat([path, Buffer.from(`/${name}`, 'latin1')]), `${relative}/${name}`)
  }
  visit(Buffer.from(root), '.')
  return entries
}

function describe(path: Buffer, stats: BigIntStats): Omit<InventoryEntry, 'path' | 'linkedTo'> {
  const names = llistxattr(path).sort(Buffer.compare)
  return {
    mode: stats.mode.toString(8),
    uid: stats.uid,
    gid: stats.gid,
    mtime: stats.mtimeNs,
    // That of a folder is the file system's own affair.
    size: stats.isDirectory() ? undefined : stats.size,
    device: stats.isCharacterDevice() || stats.isBlockDevice() ? stats.rdev : undefined,
    target: stats.isSymbolicLink()
      ? readlinkSync(path, { encoding: 'buffer' }).toString('latin1')
      : undefined,
    sha256: stats.isFile() ? dataHash(path) : undefined,
    xattrs: names.map((name) => [name.toString('latin1'), lgetxattr(path, name)?.toString('hex') ?? '']),
  }
}

function dataHash(path: Buffer): string {
  const hash = createHash('sha256')
  const chunk = Buffer.allocUnsafe(1 << 20)
  const fd = openSync(path, 'r')
  try {
    for (let start = lseekData(fd, 0); start !== undefined; ) {
      const end = lseekHole(fd, start) as number
      hash.update(`${start}-${end}:`)
      for (let offset = start; offset < end; ) {
        const read = readSync(fd, chunk, 0, Math.min(chunk.length, end - offset), offset)
        hash.update(chunk.subarray(0, read))
        offset += read
      }
      start = lseekData(fd, end)
    }
  } finally {
    closeSync(fd)
  }
  return hash.digest('hex')
}

import { DatabaseSync } from 'node:sqlite'
import type { ManifestItem, RootAttributes } from '../snapshot/manifest.ts'
import { rootIno } from '../snapshot/schema.ts'
import type { Inode } from '../snapshot/tree.ts'

/** What a manifest says of the top folder. */
export function rootAttributesOf(
  { mode, nlink, uid, gid, mtime, ctime }: Inode,
  xattrs: number,
): RootAttributes {
  return { mode, nlink, uid, gid, mtime, ctime, xattrs }
}

/**
 * The top-level folders of a finished index, counted; `known` says of which type some are. In reading order all that is below a folder has the numbers from its
 * own up to that of the next folder.
 */
export function itemsOf(indexPath: string, known: readonly ManifestItem[]): ManifestItem[] {
  using database = new DatabaseSync(indexPath, { readOnly: true })
  const folders = database
    .prepare(
      `SELECT inode.ino, name FROM dentry JOIN inode ON inode.ino = dentry.ino
       WHERE dentry.parent = ${rootIno} AND (mode & 61440) = 16384 ORDER BY inode.ino`,
    )
    .all()
  const count = database.prepare(
    `SELECT count(*) AS files, coalesce(sum(CASE WHEN (mode & 61440) = 32768 THEN size END), 0) AS size
     FROM inode WHERE ino > ? AND ino < ? AND (mode & 61440) != 16384`,
  )
  return folders.map(({ ino, name }, index) => {
    const next = folders[index + 1]?.ino ?? 2 ** 32
    const { files, size } = count.get(ino as number, next as number) as { files: number; size: number }
    const path = Buffer.from(name as Uint8Array).toString('utf8')
    const type = known.find((item) => item.path === path)?.type ?? path
    return { type, path, files, size }
  })
}

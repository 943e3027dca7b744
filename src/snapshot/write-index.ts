import { DatabaseSync } from 'node:sqlite'
import { applicationId, formatVersion, indexes, rootIno, sumOfSizes, tables } from './schema.ts'
import type { WorkingIndex } from './working-index.ts'

/** What an index holds, for its manifest. */
export interface IndexTotals {
  /** Inodes that are no folders. */
  readonly files: number
  readonly folders: number
  /** Sum of st_size over regular files. */
  readonly bytes: number
}

/**
 * Writes the final index of a working one to `path`, a file that does not exist yet: inodes numbered in reading order (each folder's
 * files in byte order, then its sub-folders, each with all below it), entries in that order, links counted. What no entry names is left out.
 * The working index stays as it is, and may be added to. Blocks for about six seconds a million inodes.
 */
export function writeIndex({ database }: Pick<WorkingIndex, 'database'>, path: string): IndexTotals {
  createEmpty(path)
  // ATTACH is not possible inside the transaction that the index of an import always has open.
  const isFilling = database.isTransaction
  if (isFilling) database.exec('COMMIT')
  try {
    database.prepare('ATTACH ? AS final').run(path)
    try {
      database.exec('PRAGMA final.journal_mode = OFF; PRAGMA final.synchronous = OFF; BEGIN')
      copyInodes(database, numberInReadingOrder(database))
      copyObjects(database)
      database.exec('COMMIT')
    } finally {
      if (database.isTransaction) database.exec('ROLLBACK')
      database.exec('DETACH final')
    }
  } finally {
    if (isFilling) database.exec('BEGIN')
  }
  return complete(path)
}

function createEmpty(path: string): void {
  using target = new DatabaseSync(path)
  target.exec(`PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
    PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${formatVersion}`)
  for (const table of tables) target.exec(table)
}

function complete(path: string): IndexTotals {
  using target = new DatabaseSync(path)
  target.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536')
  for (const index of indexes) target.exec(index)
  const totals = target
    .prepare(
      `SELECT count(*) FILTER (WHERE (mode & 61440) != 16384) AS files,
        count(*) FILTER (WHERE (mode & 61440) = 16384) AS folders, ${sumOfSizes} AS bytes FROM inode`,
    )
    .get()
  return { ...totals } as unknown as IndexTotals
}

/** By provisional number, but for `order`. */
interface Numbering {
  /** Provisional numbers in reading order, `count` of them. */
  readonly order: Uint32Array
  count: number
  /** 0: not met yet. */
  readonly final: Uint32Array
  readonly links: Uint32Array
  /** Final number of the folder that a folder is in; 0 for all else. */
  readonly parent: Uint32Array
}

interface FolderToEnter {
  readonly provisional: number
  /** Final number. */
  readonly parent: number
  readonly position: number
  readonly name: Uint8Array
}

type Child = readonly [name: Uint8Array, provisional: number, isFolder: 0 | 1]

/** Numbers what can be reached from the top folder, and writes the entries. */
function numberInReadingOrder(database: DatabaseSync): Numbering {
  const children = database.prepare(
    `SELECT name, dentry.ino, (mode & 61440) = 16384 AS is_folder FROM main.dentry JOIN main.inode ON inode.ino = dentry.ino
     WHERE dentry.parent = ? ORDER BY is_folder, name`,
  )
  children.setReturnArrays(true)
  const insert = database.prepare('INSERT INTO final.dentry VALUES (?, ?, ?, ?)')
  const largest = database.prepare('SELECT max(ino) AS ino FROM main.inode').get()?.ino as number
  const array = (): Uint32Array => new Uint32Array(largest + 1)
  const numbering: Numbering = { order: array(), count: 0, final: array(), links: array(), parent: array() }
  const { order, final, links, parent } = numbering
  const numberOf = (provisional: number): number => {
    if (final[provisional] === 0) {
      order[numbering.count++] = provisional
      final[provisional] = numbering.count
    }
    return final[provisional] as number
  }
  // Depth first, but a folder is entered only after all files of its parent have their numbers: hence a stack of folders to enter, the
  // next one on top. A folder gets its number when it is entered; its parent's entry for it is written then.
  const toEnter: FolderToEnter[] = [{ provisional: rootIno, parent: 0, position: 0, name: new Uint8Array() }]
  for (let folder = toEnter.pop(); folder !== undefined; folder = toEnter.pop()) {
    const ino = numberOf(folder.provisional)
    parent[folder.provisional] = folder.parent
    if (folder.parent !== 0) insert.run(folder.parent, folder.position, folder.name, ino)
    const rows = children.all(folder.provisional) as unknown as Child[]
    const firstFolder = rows.findIndex(([, , isFolder]) => isFolder === 1)
    const fileCount = firstFolder === -1 ? rows.length : firstFolder
    for (const [position, [name, provisional]] of rows.slice(0, fileCount).entries()) {
      insert.run(ino, position, name, numberOf(provisional))
      links[provisional] = (links[provisional] as number) + 1
    }
    for (let position = rows.length - 1; position >= fileCount; position--) {
      const [name, provisional] = rows[position] as Child
      toEnter.push({ provisional, parent: ino, position, name })
    }
    links[folder.provisional] = 2 + rows.length - fileCount
  }
  return numbering
}

function copyInodes(database: DatabaseSync, { order, count, links, parent }: Numbering): void {
  const inode = database.prepare(
    `INSERT INTO final.inode SELECT ?, mode, ?, uid, gid, rdev, size, mtime, mtime_ns, ctime, ctime_ns, object, target, sparse, ?
     FROM main.inode WHERE ino = ?`,
  )
  const xattrs = database.prepare(
    'INSERT INTO final.xattr SELECT ?, name, value FROM main.xattr WHERE ino = ? ORDER BY name',
  )
  const extents = database.prepare(
    'INSERT INTO final.extent SELECT ?, offset, length, object_offset FROM main.extent WHERE ino = ? ORDER BY offset',
  )
  const inodesOf = (table: string): Set<unknown> =>
    new Set(
      database
        .prepare(`SELECT DISTINCT ino FROM main.${table}`)
        .all()
        .map(({ ino }) => ino),
    )
  const withXattrs = inodesOf('xattr')
  const withExtents = inodesOf('extent')
  for (let i = 0; i < count; i++) {
    const provisional = order[i] as number
    inode.run(i + 1, links[provisional] as number, parent[provisional] || null, provisional)
    if (withXattrs.has(provisional)) xattrs.run(i + 1, provisional)
    if (withExtents.has(provisional)) extents.run(i + 1, provisional)
  }
}

function copyObjects(database: DatabaseSync): void {
  database.exec(
    `INSERT INTO final.object SELECT id, size, sha256 FROM main.object
     WHERE id IN (SELECT object FROM final.inode WHERE object IS NOT NULL) ORDER BY id`,
  )
}

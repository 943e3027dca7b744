import { DatabaseSync } from 'node:sqlite'
import { applicationId, formatVersion, indexes, rootIno, tables } from './schema.ts'
import type { WorkingIndex } from './working-index.ts'

/** What an index holds, for its manifest. */
export interface IndexTotals {
  /** Inodes that are no folders. */
  readonly files: number
  readonly folders: number
  /** Sum of st_size over regular files. */
  readonly bytes: number
}

interface Row {
  readonly name: Uint8Array
  readonly ino: number
  readonly mode: number
}

const isFolder = (mode: number): boolean => (mode & 0o170000) === 0o040000

/**
 * Writes the final index of a working one to `path`, a file that does not exist yet: inodes numbered in reading order (each folder's
 * files in byte order, then its sub-folders, each with all below it), entries in that order, links counted.
 */
export function writeIndex(working: WorkingIndex, path: string): IndexTotals {
  const source = working.database
  const target = new DatabaseSync(path)
  try {
    target.exec(`PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
      PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${formatVersion}; BEGIN`)
    for (const table of tables) target.exec(table)
    const numbers = numberInReadingOrder(source, target)
    copyInodes(source, target, numbers)
    target.exec('COMMIT')
    for (const index of indexes) target.exec(index)
    return totalsOf(target)
  } finally {
    target.close()
  }
}

/** Provisional number → final number and links. */
interface Numbers {
  readonly order: number[]
  readonly final: Map<number, number>
  readonly links: Map<number, number>
}

function numberInReadingOrder(source: DatabaseSync, target: DatabaseSync): Numbers {
  const children = source.prepare(
    `SELECT name, dentry.ino AS ino, mode FROM dentry JOIN inode ON inode.ino = dentry.ino
     WHERE parent = ? ORDER BY (mode & 61440) = 16384, name`,
  )
  const insert = target.prepare('INSERT INTO dentry VALUES (?, ?, ?, ?)')
  const numbers: Numbers = { order: [], final: new Map(), links: new Map() }
  const numberOf = (provisional: number): number => {
    const known = numbers.final.get(provisional)
    if (known !== undefined) return known
    numbers.order.push(provisional)
    numbers.final.set(provisional, numbers.order.length)
    return numbers.order.length
  }
  // Depth first, but a folder is entered only after all files of its parent have their numbers: hence a stack of folders to enter, the
  // next one on top. A folder gets its number when it is entered; its parent's entry for it is written then.
  const toEnter: { provisional: number; parent: number; position: number; name: Uint8Array }[] = [
    { provisional: rootIno, parent: 0, position: 0, name: new Uint8Array() },
  ]
  for (let folder = toEnter.pop(); folder !== undefined; folder = toEnter.pop()) {
    const ino = numberOf(folder.provisional)
    if (folder.parent !== 0) insert.run(folder.parent, folder.position, folder.name, ino)
    const rows = children.all(folder.provisional) as unknown as Row[]
    const firstFolder = rows.findIndex(({ mode }) => isFolder(mode))
    const files = firstFolder === -1 ? rows : rows.slice(0, firstFolder)
    files.forEach(({ name, ino: provisional }, position) => {
      insert.run(ino, position, name, numberOf(provisional))
      numbers.links.set(provisional, (numbers.links.get(provisional) ?? 0) + 1)
    })
    for (let position = rows.length - 1; position >= files.length; position--) {
      const { name, ino: provisional } = rows[position] as Row
      toEnter.push({ provisional, parent: ino, position, name })
    }
    numbers.links.set(folder.provisional, 2 + rows.length - files.length)
  }
  return numbers
}

function copyInodes(source: DatabaseSync, target: DatabaseSync, { order, links }: Numbers): void {
  const read = source.prepare('SELECT * FROM inode WHERE ino = ?')
  const readXattrs = source.prepare('SELECT name, value FROM xattr WHERE ino = ? ORDER BY name')
  const readExtents = source.prepare(
    'SELECT offset, length, object_offset FROM extent WHERE ino = ? ORDER BY offset',
  )
  const inode = target.prepare(`INSERT INTO inode VALUES (${Array(14).fill('?').join(', ')})`)
  const xattr = target.prepare('INSERT INTO xattr VALUES (?, ?, ?)')
  const extent = target.prepare('INSERT INTO extent VALUES (?, ?, ?, ?)')
  const withXattrs = new Set(
    source
      .prepare('SELECT DISTINCT ino FROM xattr')
      .all()
      .map(({ ino }) => ino),
  )
  type Value = number | Uint8Array | null
  order.forEach((provisional, i) => {
    const [, mode, , ...rest] = Object.values(read.get(provisional) as Record<string, Value>) as Value[]
    inode.run(i + 1, mode as number, links.get(provisional) as number, ...rest)
    if (withXattrs.has(provisional))
      for (const { name, value } of readXattrs.all(provisional) as { name: Uint8Array; value: Uint8Array }[])
        xattr.run(i + 1, name, value)
    if (rest.at(-1) === 1)
      for (const row of readExtents.all(provisional)) extent.run(i + 1, ...(Object.values(row) as number[]))
  })
  const object = target.prepare('INSERT INTO object VALUES (?, ?, ?)')
  const objects = source.prepare(
    `SELECT id, size, sha256 FROM object WHERE id IN (SELECT object FROM inode WHERE object IS NOT NULL) ORDER BY id`,
  )
  for (const row of objects.iterate()) object.run(...(Object.values(row) as Value[]))
}

function totalsOf(database: DatabaseSync): IndexTotals {
  const row = database
    .prepare(
      `SELECT count(*) FILTER (WHERE (mode & 61440) != 16384) AS files,
        count(*) FILTER (WHERE (mode & 61440) = 16384) AS folders,
        coalesce(sum(size) FILTER (WHERE (mode & 61440) = 32768), 0) AS bytes FROM inode`,
    )
    .get()
  return row as unknown as IndexTotals
}

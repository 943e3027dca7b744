import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { messageOf } from '../base/errors.ts'
import { applicationId, formatVersion, indexes, largestIno, sumOfSizes, tables } from './schema.ts'

/** What a valid index holds. */
export interface ValidatedTotals {
  readonly inodes: number
  readonly bytes: number
}

interface Rule {
  /** Completes "the file index is not valid: …". */
  readonly broken: string
  /** Selects rows that break it. */
  readonly sql: string
}

const typeOf = (column: string): string => `(${column} & 61440)`
const folder = 16384
const file = 32768
const symlink = 40960
const isFolder = (column: string): string => `(${typeOf(column)} = ${folder})`
/** XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux, bytes. */
const largestXattr = 65536
const largestSafe = 2 ** 53 - 1

/**
 * What must hold in every file index (`native-notes/format.md` §4.3). Each rule may take it that those before it hold. A folder has exactly one entry
 * and a greater number than the folder it is in: that makes cycles impossible.
 */
const rules: readonly Rule[] = [
  {
    broken: 'ino 1 is no folder',
    sql: `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM inode WHERE ino = 1 AND ${typeOf('mode')} = ${folder})`,
  },
  {
    broken: 'an inode number is out of range',
    sql: `SELECT ino FROM inode WHERE ino < 1 OR ino > ${largestIno}`,
  },
  {
    broken: 'an inode has an unknown type',
    sql: `SELECT ino FROM inode WHERE ${typeOf('mode')} NOT IN (4096, 8192, ${folder}, 24576, ${file}, ${symlink}, 49152) OR mode NOT BETWEEN 0 AND 65535`,
  },
  {
    broken: 'a size, a link count or an owner is out of range',
    sql: `SELECT ino FROM inode WHERE size NOT BETWEEN 0 AND ${largestSafe} OR nlink NOT BETWEEN 0 AND 4294967295
      OR uid NOT BETWEEN 0 AND 4294967295 OR gid NOT BETWEEN 0 AND 4294967295 OR rdev NOT BETWEEN 0 AND 4294967295`,
  },
  {
    broken: 'a time is out of range',
    sql: `SELECT ino FROM inode WHERE mtime_ns NOT BETWEEN 0 AND 999999999 OR ctime_ns NOT BETWEEN 0 AND 999999999
      OR mtime NOT BETWEEN -${largestSafe} AND ${largestSafe} OR ctime NOT BETWEEN -${largestSafe} AND ${largestSafe}`,
  },
  {
    broken: 'a name is empty, too long, `.`, `..`, or holds a slash or NUL',
    sql: `SELECT ino FROM dentry WHERE length(name) NOT BETWEEN 1 AND 255 OR name IN (x'2e', x'2e2e')
      OR instr(name, x'2f') OR instr(name, x'00')`,
  },
  {
    broken: 'an entry stands in what is no folder',
    sql: `SELECT dentry.parent FROM dentry LEFT JOIN inode ON inode.ino = dentry.parent WHERE position = 0 AND ${typeOf('coalesce(mode, 0)')} != ${folder}`,
  },
  {
    broken: 'a folder is not in one with a smaller number (a cycle), or something else has a parent',
    sql: `SELECT ino FROM inode WHERE CASE WHEN ${isFolder('mode')} AND ino != 1 THEN parent IS NULL OR parent >= ino ELSE parent IS NOT NULL END`,
  },
  {
    broken: 'an entry names an inode that is not there, or a folder that is in another one',
    sql: `SELECT dentry.ino FROM dentry LEFT JOIN inode ON inode.ino = dentry.ino
      WHERE mode IS NULL OR (${isFolder('mode')} AND inode.parent IS NOT dentry.parent)`,
  },
  {
    broken: 'a folder has no entry, or more than one',
    sql: `SELECT entries FROM (SELECT count(*) AS entries, count(DISTINCT inode.ino) AS folders
        FROM dentry CROSS JOIN inode ON inode.ino = dentry.ino WHERE ${isFolder('mode')})
      WHERE entries != folders OR folders != (SELECT count(*) FROM inode WHERE ${isFolder('mode')} AND ino != 1)`,
  },
  {
    broken: 'the positions in a folder do not count from 0, or its entries are not in reading order',
    sql: `SELECT this.parent FROM dentry AS this CROSS JOIN inode ON inode.ino = this.ino
      LEFT JOIN dentry AS last ON last.parent = this.parent AND last.position = this.position - 1
      LEFT JOIN inode AS last_inode ON last_inode.ino = last.ino
      WHERE CASE WHEN this.position = 0 THEN 0 WHEN this.position < 0 OR last.name IS NULL THEN 1
        WHEN ${isFolder('inode.mode')} = ${isFolder('last_inode.mode')} THEN this.name <= last.name
        ELSE ${isFolder('last_inode.mode')} END`,
  },
  {
    broken: 'a symlink has no target, or something else has one',
    sql: `SELECT ino FROM inode WHERE (${typeOf('mode')} = ${symlink}) != (target IS NOT NULL)
      OR length(target) NOT BETWEEN 1 AND 4095 OR instr(target, x'00')`,
  },
  {
    broken: 'an object has a wrong id, size or hash',
    sql: `SELECT 1 FROM object WHERE length(id) != 12 OR length(sha256) != 32 OR size NOT BETWEEN 1 AND ${largestSafe}`,
  },
  {
    broken: 'a file and its object do not fit',
    sql: `SELECT ino FROM inode LEFT JOIN object ON object.id = inode.object WHERE
      (inode.object IS NOT NULL AND (object.id IS NULL OR ${typeOf('mode')} != ${file}))
      OR (${typeOf('mode')} = ${file} AND sparse = 0 AND coalesce(object.size, 0) != inode.size)
      OR sparse NOT IN (0, 1) OR (sparse = 1 AND ${typeOf('mode')} != ${file})`,
  },
  {
    broken: 'the extents of a file overlap or lie outside it',
    sql: `SELECT ino FROM (SELECT extent.ino, extent.offset, length, object_offset, inode.size, sparse, object.size AS stored,
        lag(extent.offset + length) OVER (PARTITION BY extent.ino ORDER BY extent.offset) AS last_end
        FROM extent LEFT JOIN inode ON inode.ino = extent.ino LEFT JOIN object ON object.id = inode.object)
      WHERE coalesce(sparse, 0) != 1 OR length < 1 OR offset < 0 OR object_offset < 0 OR offset + length > size
        OR object_offset + length > coalesce(stored, 0) OR offset < last_end`,
  },
  {
    broken: 'an extended attribute has an impossible name, a value that is too long, or no inode',
    sql: `SELECT xattr.ino FROM xattr LEFT JOIN inode ON inode.ino = xattr.ino
      WHERE length(name) NOT BETWEEN 1 AND 255 OR instr(name, x'00') OR length(value) > ${largestXattr} OR mode IS NULL`,
  },
  {
    broken: 'the names of the extended attributes of an inode are too long for a list',
    sql: `SELECT ino FROM xattr GROUP BY ino HAVING sum(length(name) + 1) > ${largestXattr}`,
  },
]

/**
 * Looks at every row of an untrusted index. Returns its totals, or completes "the file index is not valid: …". Blocks for about two seconds a
 * million inodes, and a hostile file may keep it busy for ever: `validateUntrusted` runs it elsewhere.
 */
export function validateIndex(path: string): ValidatedTotals | string {
  try {
    const url = pathToFileURL(path)
    url.search = 'immutable=1'
    // A value may be anything that has 64 bits.
    using database = new DatabaseSync(url, { readOnly: true, readBigInts: true })
    database.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -8192')
    return problemOf(database, statSync(path).size) ?? totalsOf(database)
  } catch (error) {
    return `it cannot be read (${messageOf(error)})`
  }
}

function problemOf(database: DatabaseSync, fileSize: number): string | undefined {
  const pragma = (name: string): unknown => {
    const value = Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]
    return typeof value === 'bigint' ? Number(value) : value
  }
  if (pragma('application_id') !== applicationId) return 'it does not carry the mark of jbfs'
  if (pragma('user_version') !== formatVersion)
    return `it has format ${pragma('user_version')}, not ${formatVersion}`
  if (Number(pragma('page_size')) * Number(pragma('page_count')) !== fileSize)
    return 'it does not have as many bytes as its header says'
  const schema = database.prepare('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql').all()
  const found = schema.map(({ sql }) => sql).join('\n')
  if (found !== [...tables, ...indexes].toSorted().join('\n')) return 'its tables are not those of the format'
  const damage = pragma('quick_check(1)')
  if (damage !== 'ok') return `it is damaged (${String(damage).replaceAll(/\s*\n\s*/g, ' ')})`
  for (const { broken, sql } of rules) {
    const row = database.prepare(`${sql} LIMIT 1`).get()
    if (row !== undefined) return `${broken} (first found: ${Object.values(row)[0]})`
  }
  return undefined
}

function totalsOf(database: DatabaseSync): ValidatedTotals {
  const totals = database.prepare(`SELECT count(*) AS inodes, ${sumOfSizes} AS bytes FROM inode`).get()
  return { inodes: Number(totals?.inodes), bytes: Number(totals?.bytes) }
}

import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { applicationId, formatVersion, indexes, largestIno, tables } from './schema.ts'

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
const largestSafe = 2 ** 53 - 1

/**
 * What must hold in every file index (`native-notes/format.md` §4.3). A folder has exactly one entry and a greater number than the folder
 * it is in: that makes cycles impossible.
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
    sql: `SELECT ino FROM inode WHERE ${typeOf('mode')} NOT IN (4096, 8192, ${folder}, 24576, ${file}, ${symlink}, 49152) OR mode > 65535`,
  },
  {
    broken: 'a size, a link count or an owner is out of range',
    sql: `SELECT ino FROM inode WHERE size NOT BETWEEN 0 AND ${largestSafe} OR nlink NOT BETWEEN 0 AND 4294967295
      OR uid NOT BETWEEN 0 AND 4294967295 OR gid NOT BETWEEN 0 AND 4294967295 OR rdev NOT BETWEEN 0 AND 4294967295`,
  },
  {
    broken: 'a time is out of range',
    sql: `SELECT ino FROM inode WHERE mtime_ns NOT BETWEEN 0 AND 999999999 OR ctime_ns NOT BETWEEN 0 AND 999999999
      OR abs(mtime) > ${largestSafe} OR abs(ctime) > ${largestSafe}`,
  },
  {
    broken: 'a name is empty, too long, `.`, `..`, or holds a slash or NUL',
    sql: `SELECT ino FROM dentry WHERE length(name) NOT BETWEEN 1 AND 255 OR name IN (x'2e', x'2e2e')
      OR instr(name, x'2f') OR instr(name, x'00')`,
  },
  {
    broken: 'an entry stands in what is no folder',
    sql: `SELECT parent FROM dentry LEFT JOIN inode ON inode.ino = parent WHERE position = 0 AND ${typeOf('coalesce(mode, 0)')} != ${folder}`,
  },
  {
    broken: 'an entry names an inode that is not there, or a folder one with a smaller number (a cycle)',
    sql: `SELECT dentry.ino FROM dentry LEFT JOIN inode ON inode.ino = dentry.ino
      WHERE mode IS NULL OR (${typeOf('mode')} = ${folder} AND dentry.ino <= parent)`,
  },
  {
    broken: 'the positions in a folder do not count from 0, or its entries are not in reading order',
    sql: `SELECT parent FROM (SELECT parent, position, name, ${typeOf('mode')} = ${folder} AS is_folder,
        row_number() OVER here - 1 AS expected, lag(name) OVER here AS last_name, lag(${typeOf('mode')} = ${folder}) OVER here AS last_is_folder
        FROM dentry JOIN inode ON inode.ino = dentry.ino WINDOW here AS (PARTITION BY parent ORDER BY position))
      WHERE position != expected OR (last_name IS NOT NULL AND (is_folder < last_is_folder OR (is_folder = last_is_folder AND name <= last_name)))`,
  },
  {
    broken: 'a folder has no entry, or more than one',
    sql: `SELECT 1 WHERE (SELECT count(*) FROM inode WHERE ${typeOf('mode')} = ${folder} AND ino != 1)
      != (SELECT count(*) FROM dentry JOIN inode ON inode.ino = dentry.ino WHERE ${typeOf('mode')} = ${folder})
      OR EXISTS (SELECT dentry.ino FROM dentry JOIN inode ON inode.ino = dentry.ino WHERE ${typeOf('mode')} = ${folder} GROUP BY dentry.ino HAVING count(*) > 1)`,
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
    broken: 'the name of an extended attribute is empty or too long',
    sql: 'SELECT ino FROM xattr WHERE length(name) NOT BETWEEN 1 AND 255',
  },
]

/**
 * Looks at every row of an untrusted index. Returns its totals, or completes "the file index is not valid: …". Blocks for about two seconds a
 * million inodes: run it in a worker (`validate-worker.ts`).
 */
export function validateIndex(path: string): ValidatedTotals | string {
  const url = pathToFileURL(path)
  url.search = 'immutable=1'
  const database = new DatabaseSync(url, { readOnly: true })
  try {
    database.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -65536')
    const pragma = (name: string): unknown => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]
    if (pragma('application_id') !== applicationId) return 'it does not carry the mark of jbfs'
    if (pragma('user_version') !== formatVersion)
      return `it has format ${pragma('user_version')}, not ${formatVersion}`
    const schema = database.prepare('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql').all()
    const found = schema.map(({ sql }) => sql).join('\n')
    if (found !== [...tables, ...indexes].toSorted().join('\n'))
      return 'its tables are not those of the format'
    const damage = pragma('quick_check(1)')
    if (damage !== 'ok') return `it is damaged (${String(damage).replaceAll(/\s*\n\s*/g, ' ')})`
    for (const { broken, sql } of rules) {
      const row = database.prepare(`${sql} LIMIT 1`).get()
      if (row !== undefined) return `${broken} (first found: ${Object.values(row)[0]})`
    }
    const totals = database
      .prepare(
        `SELECT count(*) AS inodes, coalesce(sum(size) FILTER (WHERE ${typeOf('mode')} = ${file}), 0) AS bytes FROM inode`,
      )
      .get()
    return { ...totals } as unknown as ValidatedTotals
  } finally {
    database.close()
  }
}

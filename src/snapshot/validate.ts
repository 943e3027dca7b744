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

/** Two halves of the work, about as long, that rest on nothing of each other: what each table has, and how they fit together. */
export const validationShares = ['tables', 'relations'] as const
export type ValidationShare = (typeof validationShares)[number]

/** Looks at the rows of `from`, once for all of its rules: reading a million rows costs more than what is asked of each. */
interface Scan {
  readonly share: ValidationShare
  readonly from: string
  /** Of the row that breaks a rule, to name it. */
  readonly key: string
  readonly rules: readonly Rule[]
}

const noTotals: ValidatedTotals = { inodes: 0, bytes: 0 }

interface Rule {
  /** Completes "the file index is not valid: …". */
  readonly broken: string
  /** An SQL condition that rows breaking it fulfil. */
  readonly when: string
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
 * What must hold in every file index (`native-notes/format.md` §4.3). Each scan may take it that those before it found nothing. A folder has exactly
 * one entry and a greater number than the folder it is in: that makes cycles impossible.
 */
const scans: readonly Scan[] = [
  {
    share: 'tables',
    from: `(SELECT (SELECT mode FROM inode WHERE ino = 1) AS mode)`,
    key: '1',
    rules: [{ broken: 'ino 1 is no folder', when: `coalesce(${typeOf('mode')}, 0) != ${folder}` }],
  },
  {
    share: 'tables',
    from: 'inode',
    key: 'ino',
    rules: [
      { broken: 'an inode number is out of range', when: `ino < 1 OR ino > ${largestIno}` },
      {
        broken: 'an inode has an unknown type',
        when: `${typeOf('mode')} NOT IN (4096, 8192, ${folder}, 24576, ${file}, ${symlink}, 49152) OR mode NOT BETWEEN 0 AND 65535`,
      },
      {
        broken: 'a size, a link count or an owner is out of range',
        when: `size NOT BETWEEN 0 AND ${largestSafe} OR nlink NOT BETWEEN 0 AND 4294967295
          OR uid NOT BETWEEN 0 AND 4294967295 OR gid NOT BETWEEN 0 AND 4294967295 OR rdev NOT BETWEEN 0 AND 4294967295`,
      },
      {
        broken: 'a time is out of range',
        when: `mtime_ns NOT BETWEEN 0 AND 999999999 OR ctime_ns NOT BETWEEN 0 AND 999999999
          OR mtime NOT BETWEEN -${largestSafe} AND ${largestSafe} OR ctime NOT BETWEEN -${largestSafe} AND ${largestSafe}`,
      },
      {
        broken: 'a folder is not in one with a smaller number (a cycle), or something else has a parent',
        when: `CASE WHEN ${isFolder('mode')} AND ino != 1 THEN parent IS NULL OR parent >= ino ELSE parent IS NOT NULL END`,
      },
      {
        broken: 'a symlink has no target, or something else has one',
        when: `(${typeOf('mode')} = ${symlink}) != (target IS NOT NULL) OR length(target) NOT BETWEEN 1 AND 4095 OR instr(target, x'00')`,
      },
    ],
  },
  {
    share: 'tables',
    from: 'object',
    key: '1',
    rules: [
      {
        broken: 'an object has a wrong id, size or hash',
        when: `length(id) != 12 OR length(sha256) != 32 OR size NOT BETWEEN 1 AND ${largestSafe}`,
      },
    ],
  },
  {
    share: 'relations',
    from: 'dentry LEFT JOIN inode ON inode.ino = dentry.parent',
    key: 'dentry.parent',
    rules: [
      {
        broken: 'an entry stands in what is no folder',
        when: `position = 0 AND ${typeOf('coalesce(mode, 0)')} != ${folder}`,
      },
    ],
  },
  {
    share: 'relations',
    from: `dentry AS this LEFT JOIN inode ON inode.ino = this.ino
      LEFT JOIN dentry AS last ON last.parent = this.parent AND last.position = this.position - 1
      LEFT JOIN inode AS last_inode ON last_inode.ino = last.ino`,
    key: 'this.ino',
    rules: [
      {
        broken: 'a name is empty, too long, `.`, `..`, or holds a slash or NUL',
        when: `length(this.name) NOT BETWEEN 1 AND 255 OR this.name IN (x'2e', x'2e2e') OR instr(this.name, x'2f') OR instr(this.name, x'00')`,
      },
      {
        broken: 'an entry names an inode that is not there, or a folder that is in another one',
        when: `inode.mode IS NULL OR (${isFolder('inode.mode')} AND inode.parent IS NOT this.parent)`,
      },
      {
        broken: 'the positions in a folder do not count from 0, or its entries are not in reading order',
        when: `CASE WHEN this.position = 0 THEN 0 WHEN this.position < 0 OR last.name IS NULL THEN 1
          WHEN ${isFolder('inode.mode')} = ${isFolder('last_inode.mode')} THEN this.name <= last.name
          ELSE ${isFolder('last_inode.mode')} END`,
      },
    ],
  },
  {
    share: 'relations',
    from: `(SELECT count(*) AS entries, count(DISTINCT inode.ino) AS folders
      FROM dentry CROSS JOIN inode ON inode.ino = dentry.ino WHERE ${isFolder('mode')})`,
    key: 'entries',
    rules: [
      {
        broken: 'a folder has no entry, or more than one',
        when: `entries != folders OR folders != (SELECT count(*) FROM inode WHERE ${isFolder('mode')} AND ino != 1)`,
      },
    ],
  },
  {
    share: 'relations',
    from: 'inode LEFT JOIN object ON object.id = inode.object',
    key: 'ino',
    rules: [
      {
        broken: 'a file and its object do not fit',
        when: `(inode.object IS NOT NULL AND (object.id IS NULL OR ${typeOf('mode')} != ${file}))
          OR (${typeOf('mode')} = ${file} AND sparse = 0 AND coalesce(object.size, 0) != inode.size)
          OR sparse NOT IN (0, 1) OR (sparse = 1 AND ${typeOf('mode')} != ${file})`,
      },
    ],
  },
  {
    share: 'relations',
    from: `(SELECT extent.ino, extent.offset, length, object_offset, inode.size, sparse, object.size AS stored,
        lag(extent.offset + length) OVER (PARTITION BY extent.ino ORDER BY extent.offset) AS last_end
        FROM extent LEFT JOIN inode ON inode.ino = extent.ino LEFT JOIN object ON object.id = inode.object)`,
    key: 'ino',
    rules: [
      {
        broken: 'the extents of a file overlap or lie outside it',
        when: `coalesce(sparse, 0) != 1 OR length < 1 OR offset < 0 OR object_offset < 0 OR offset + length > size
          OR object_offset + length > coalesce(stored, 0) OR offset < last_end`,
      },
    ],
  },
  {
    share: 'tables',
    from: 'xattr LEFT JOIN inode ON inode.ino = xattr.ino',
    key: 'xattr.ino',
    rules: [
      {
        broken: 'an extended attribute has an impossible name, a value that is too long, or no inode',
        when: `length(name) NOT BETWEEN 1 AND 255 OR instr(name, x'00') OR length(value) > ${largestXattr} OR mode IS NULL`,
      },
    ],
  },
  {
    share: 'tables',
    from: '(SELECT ino, sum(length(name) + 1) AS length FROM xattr GROUP BY ino)',
    key: 'ino',
    rules: [
      {
        broken: 'the names of the extended attributes of an inode are too long for a list',
        when: `length > ${largestXattr}`,
      },
    ],
  },
]

/**
 * Looks at every row of an untrusted index, or at a share of what must hold. Returns its totals (with the share `tables`), or completes "the file index is not valid: …". Blocks for
 * about four seconds a million inodes, and a hostile file may keep it busy for ever: `validateUntrusted` runs it elsewhere.
 */
export function validateIndex(
  path: string,
  shares: readonly ValidationShare[] = validationShares,
): ValidatedTotals | string {
  try {
    const url = pathToFileURL(path)
    url.search = 'immutable=1'
    // A value may be anything that has 64 bits.
    using database = new DatabaseSync(url, { readOnly: true, readBigInts: true })
    database.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -8192')
    const problem = problemOf(database, statSync(path).size, shares)
    return problem ?? (shares.includes('tables') ? totalsOf(database) : noTotals)
  } catch (error) {
    return `it cannot be read (${messageOf(error)})`
  }
}

function problemOf(
  database: DatabaseSync,
  fileSize: number,
  shares: readonly ValidationShare[],
): string | undefined {
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
  const damage = shares.includes('tables') ? pragma('quick_check(1)') : 'ok'
  if (damage !== 'ok') return `it is damaged (${String(damage).replaceAll(/\s*\n\s*/g, ' ')})`
  for (const scan of scans.filter(({ share }) => shares.includes(share))) {
    const found = brokenIn(database, scan)
    if (found !== undefined) return found
  }
  return undefined
}

function brokenIn(database: DatabaseSync, { from, key, rules }: Scan): string | undefined {
  const breaksAny = rules.map(({ when }) => `(${when})`).join(' OR ')
  const which = rules.map(({ when }, rule) => `WHEN ${when} THEN ${rule}`).join(' ')
  const row = database
    .prepare(`SELECT ${key} AS found, CASE ${which} END AS rule FROM ${from} WHERE ${breaksAny} LIMIT 1`)
    .get()
  return row && `${rules[Number(row.rule)]?.broken} (first found: ${row.found})`
}

function totalsOf(database: DatabaseSync): ValidatedTotals {
  const totals = database.prepare(`SELECT count(*) AS inodes, ${sumOfSizes} AS bytes FROM inode`).get()
  return { inodes: Number(totals?.inodes), bytes: Number(totals?.bytes) }
}

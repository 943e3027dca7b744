/** The SQLite schema of a file index, format 1: `native-notes/format.md` §4 explains every column. */

/** 'jbfs' in ASCII. */
export const applicationId = 0x6a626673
export const formatVersion = 1

export const tables = [
  `CREATE TABLE inode (
  ino INTEGER PRIMARY KEY,
  mode INTEGER NOT NULL,
  nlink INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  gid INTEGER NOT NULL,
  rdev INTEGER NOT NULL,
  size INTEGER NOT NULL,
  mtime INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  ctime INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL,
  object BLOB,
  target BLOB,
  sparse INTEGER NOT NULL,
  parent INTEGER
) STRICT`,
  `CREATE TABLE dentry (
  parent INTEGER NOT NULL,
  position INTEGER NOT NULL,
  name BLOB NOT NULL,
  ino INTEGER NOT NULL,
  PRIMARY KEY (parent, position)
) STRICT, WITHOUT ROWID`,
  `CREATE TABLE xattr (
  ino INTEGER NOT NULL,
  name BLOB NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (ino, name)
) STRICT, WITHOUT ROWID`,
  `CREATE TABLE object (
  id BLOB NOT NULL PRIMARY KEY,
  size INTEGER NOT NULL,
  sha256 BLOB NOT NULL
) STRICT, WITHOUT ROWID`,
  `CREATE TABLE extent (
  ino INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  length INTEGER NOT NULL,
  object_offset INTEGER NOT NULL,
  PRIMARY KEY (ino, offset)
) STRICT, WITHOUT ROWID`,
] as const

/** Made after the rows, which is faster than with them. */
export const indexes = ['CREATE UNIQUE INDEX dentry_name ON dentry (parent, name)'] as const

/** The largest inode number an index may hold. */
export const largestIno = 2 ** 32 - 1

/** Ino of the top folder. */
export const rootIno = 1

/** Sum of st_size over regular files, for an aggregate over `inode`. Many large files with holes can have more than JavaScript can count. */
export const sumOfSizes = `CAST(min(total(size) FILTER (WHERE (mode & 61440) = 32768), ${Number.MAX_SAFE_INTEGER}) AS INTEGER)`

/**
 * Tables beside those of format 1 in the index of a snapshot that something else wrote, which never leaves the cache. `foreign_object`: what format 1 cannot say of
 * an object: its key below the repository, whether it is gzipped, and a SHA-256 that may not be known. `foreign_source`, one row: the rows it was made of, what they have become, and why some are left out (JSON).
 */
export const foreignTables = [
  `CREATE TABLE foreign_object (
  id BLOB NOT NULL PRIMARY KEY,
  key TEXT NOT NULL,
  gzip INTEGER NOT NULL,
  sha256 BLOB
) STRICT, WITHOUT ROWID`,
  `CREATE TABLE foreign_source (
  row_count INTEGER NOT NULL,
  files INTEGER NOT NULL,
  folders INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  faults TEXT NOT NULL
) STRICT`,
] as const

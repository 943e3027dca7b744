import type { DatabaseSync } from 'node:sqlite'
import { SnapshotError } from '../snapshot/errors.ts'
import { growingTable } from './growing-rows.ts'

/**
 * Tables and columns that a working snapshot has beside those of a file index (`native-notes/format.md` §4). The database stays on this machine: another version of jbfs
 * that finds another `workingVersion` leaves it alone.
 */
export const workingVersion = 2

/** Of a working snapshot, in its folder; contents that are not in the store are named by their inodes. */
export const databaseName = 'working.sqlite'
export const contentsName = 'contents'

const tables = [
  // What the snapshot is, and how it stands to what is published: one row.
  `CREATE TABLE IF NOT EXISTS working (
  version INTEGER NOT NULL,
  repository TEXT NOT NULL,
  number INTEGER NOT NULL,
  created INTEGER NOT NULL,
  base_etag TEXT,
  changes INTEGER NOT NULL,
  published INTEGER NOT NULL
) STRICT`,
  // Files whose content lies in the staging folder and not in the store; beside it what `inode` said of the content that was stored last, whose extents are there still.
  `CREATE TABLE IF NOT EXISTS staged (
  ino INTEGER PRIMARY KEY,
  size INTEGER NOT NULL,
  object BLOB,
  sparse INTEGER NOT NULL
) STRICT`,
  growingTable,
  // What utimensat(2) has set; NULL: nothing. No index has a place for it.
  'ALTER TABLE inode ADD COLUMN atime INTEGER',
  'ALTER TABLE inode ADD COLUMN atime_ns INTEGER',
] as const

export interface WorkingState {
  readonly repository: string
  readonly number: number
  /** Epoch seconds. */
  readonly created: number
  /** Of the manifest that it was made of, or that was published last; undefined: there is none. */
  readonly baseEtag: string | undefined
  /** Grows with every change; what `published` has not reached is to be published. */
  readonly changes: number
  readonly published: number
}

export function createWorkingTables(database: DatabaseSync): void {
  for (const table of tables) database.exec(table)
}

/** undefined: it was never finished. Throws `too-new` when it is of another version. */
export function readWorkingState(database: DatabaseSync): WorkingState | undefined {
  const table = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'working'").get()
  const row = table && database.prepare('SELECT * FROM working').get()
  if (row === undefined) return undefined
  if (row.version !== workingVersion)
    throw new SnapshotError(
      'too-new',
      `it is of version ${row.version}, and this jbfs knows ${workingVersion}`,
    )
  return {
    repository: String(row.repository),
    number: Number(row.number),
    created: Number(row.created),
    baseEtag: row.base_etag === null ? undefined : String(row.base_etag),
    changes: Number(row.changes),
    published: Number(row.published),
  }
}

import type { DatabaseSync } from 'node:sqlite'

/** As SQLite counts a log: pages in it, and those that the database has. */
export interface LogState {
  readonly pages: number
  readonly carried: number
}

/** Has the database have what its log holds, as far as nobody reads or writes there just now (SQLite, "PRAGMA wal_checkpoint", PASSIVE). */
export function carryOver(database: DatabaseSync): LogState {
  const row = database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
  return { pages: Number(row?.log), carried: Number(row?.checkpointed) }
}

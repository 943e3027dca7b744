import type { DatabaseSync } from 'node:sqlite'

/**
 * Has the database have what its log holds, as far as nobody reads or writes there just now (SQLite, "PRAGMA wal_checkpoint", PASSIVE). Returns how many
 * pages are in the log.
 */
export function carryOver(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()?.log)
}

import type { DatabaseSync } from 'node:sqlite'
import type { Ino } from '../snapshot/tree.ts'
import type { ByteRange, UploadToken } from '../store/object-store.ts'

/** A part of a growing upload that the store has. */
export interface SentPart {
  /** As the store calls it. */
  readonly etag: string
  /** Its bytes in the object. */
  readonly length: number
  /** Where they lie in the file. */
  readonly ranges: readonly ByteRange[]
}

/** The upload of a file that is being written, as far as it must outlive the process. */
export interface GrowingState {
  /** Of the object that it becomes. */
  readonly id: string
  readonly upload: UploadToken
  /** Bytes at the start of the file that are in `parts`, and not in the staging folder any more. */
  readonly freed: number
  readonly parts: readonly SentPart[]
}

export const growingTable = `CREATE TABLE IF NOT EXISTS growing (
  ino INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  upload TEXT NOT NULL,
  freed INTEGER NOT NULL,
  parts TEXT NOT NULL
) STRICT`

/** The growing uploads of a working snapshot, in its database. */
export class GrowingRows {
  readonly #database: DatabaseSync

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  all(): { ino: Ino; state: GrowingState }[] {
    return this.#database
      .prepare('SELECT * FROM growing')
      .all()
      .map(({ ino, id, upload, freed, parts }) => ({
        ino: Number(ino) as Ino,
        state: {
          id: String(id),
          upload: String(upload) as UploadToken,
          freed: Number(freed),
          parts: JSON.parse(String(parts)) as SentPart[],
        },
      }))
  }

  put(ino: Ino, { id, upload, freed, parts }: GrowingState): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO growing VALUES (?, ?, ?, ?, ?)')
      .run(ino, id, upload, freed, JSON.stringify(parts))
  }

  remove(ino: Ino): void {
    this.#database.prepare('DELETE FROM growing WHERE ino = ?').run(ino)
  }
}

import { createHash } from 'node:crypto'
import { databaseBytes, insertAll } from '../database.ts'
import type { ForeignLayout } from '../layout.ts'
import { jsonManifest } from '../manifest.ts'
import { Objects } from '../objects.ts'
import { isEmpty } from '../source-tree.ts'
import { wrap } from '../wrap.ts'

const schema = `
  CREATE TABLE t1 (c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11);
  CREATE TABLE t2 (c0, c1, c2);
  CREATE TABLE t3 (c0 TEXT, c1 INTEGER)`

/**
 * Names that say nothing, no declared types, and columns that look like others: a time of the backup beside that of the file, sizes on a disk, inode numbers, checksums that are no
 * objects. Another table holds the same paths for another purpose.
 */
export const obscure: ForeignLayout = {
  name: 'obscure',
  keeps: { milliseconds: false, anyName: true, topFolder: false },
  truth: {
    index: 'export/snap.{number}',
    container: 'zstd',
    content: 'sqlite',
    table: 't1',
    shape: 'paths',
    columns: {
      path: 'c3',
      mode: 'c7',
      uid: 'c5',
      gid: 'c6',
      size: 'c10',
      mtime: 'c2',
      object: 'c8',
      target: 'c11',
    },
    times: 'seconds',
    modes: 'decimal',
    objectsBy: 'id',
    objects: 'plain',
  },
  write(snapshots) {
    const objects = new Objects({ keyOf: ({ id }) => `files/${id}` })
    const indexes = snapshots.map(({ number, created, entries }) => {
      const rows = entries.slice(1).map((entry, n) => ({
        c0: 700_000 + n * 3,
        c1: created + Math.floor(n / 10),
        c2: entry.modified / 1_000,
        c3: entry.path,
        c4: Math.ceil((entry.content?.length ?? 0) / 4_096) * 4_096,
        c5: entry.uid,
        c6: entry.gid,
        c7: entry.mode,
        c8: isEmpty(entry) ? null : objects.add(entry.content as Buffer).id,
        c9: createHash('md5').update(entry.path, 'latin1').digest('hex').slice(0, 24),
        c10: entry.content?.length ?? 0,
        c11: entry.target ?? null,
      }))
      const bytes = databaseBytes((db) => {
        db.exec(schema)
        insertAll(db, 't1', rows)
        insertAll(
          db,
          't2',
          rows.map(({ c3, c9 }, n) => ({ c0: n, c1: c3, c2: c9 })),
        )
        insertAll(db, 't3', [{ c0: 'complete', c1: 1 }])
      })
      return { key: `export/snap.${number}`, bytes: wrap(bytes, 'zstd') }
    })
    return [...objects.stored(), ...indexes, ...snapshots.map(jsonManifest)]
  },
}

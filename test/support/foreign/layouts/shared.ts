import { createHash } from 'node:crypto'
import { databaseBytes, insertAll } from '../database.ts'
import type { ForeignLayout } from '../layout.ts'
import { jsonManifest } from '../manifest.ts'
import { Objects } from '../objects.ts'
import { wrap } from '../wrap.ts'

const schema = `
  CREATE TABLE snaps (snap_no INTEGER PRIMARY KEY, taken REAL, state TEXT);
  CREATE TABLE entry (
    snap INTEGER NOT NULL, fullpath TEXT NOT NULL, st_mode INTEGER, st_uid INTEGER, st_gid INTEGER, st_size INTEGER, st_mtime REAL,
    sum TEXT, symlink TEXT, PRIMARY KEY (snap, fullpath)
  ) WITHOUT ROWID;
  CREATE VIEW newest AS SELECT * FROM entry WHERE snap = (SELECT max(snap_no) FROM snaps)`

/** All snapshots in the rows of one database, `export/full`; the objects are called by the SHA-256 of what is in them. */
export const shared: ForeignLayout = {
  name: 'shared',
  keeps: { milliseconds: true, anyName: true, topFolder: false },
  truth: {
    index: 'export/full',
    container: 'bzip2',
    content: 'sqlite',
    table: 'entry',
    shape: 'paths',
    columns: {
      snapshot: 'snap',
      path: 'fullpath',
      mode: 'st_mode',
      uid: 'st_uid',
      gid: 'st_gid',
      size: 'st_size',
      mtime: 'st_mtime',
      object: 'sum',
      target: 'symlink',
    },
    times: 'seconds',
    modes: 'decimal',
    objectsBy: 'hash',
    objects: 'plain',
  },
  write(snapshots) {
    const objects = new Objects({ keyOf: ({ content }) => `files/${sha256(content)}` })
    const bytes = databaseBytes((db) => {
      db.exec(schema)
      for (const { number, created, entries } of snapshots) {
        insertAll(db, 'snaps', [{ snap_no: number, taken: created, state: 'done' }])
        const rows = entries.slice(1).map((entry) => {
          if (entry.content !== undefined) objects.add(entry.content)
          return {
            snap: number,
            fullpath: entry.path,
            st_mode: entry.mode,
            st_uid: entry.uid,
            st_gid: entry.gid,
            st_size: entry.content?.length ?? 0,
            st_mtime: entry.modified / 1_000,
            sum: entry.content === undefined ? null : sha256(entry.content),
            symlink: entry.target ?? null,
          }
        })
        insertAll(db, 'entry', rows)
      }
    })
    return [
      ...objects.stored(),
      { key: 'export/full', bytes: wrap(bytes, 'bzip2') },
      ...snapshots.map(jsonManifest),
    ]
  },
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

import { databaseBytes, insertAll } from '../database.ts'
import type { ForeignLayout } from '../layout.ts'
import { jsonManifest } from '../manifest.ts'
import { Objects } from '../objects.ts'
import { wrap } from '../wrap.ts'

const schema = `
  CREATE TABLE backup_file (
    file_id TEXT, file_path TEXT NOT NULL UNIQUE, file_type TEXT NOT NULL, permissions TEXT NOT NULL, owner_id INT, group_id INT,
    file_size BIGINT, last_modified DATETIME, link_to TEXT, crc INTEGER
  );
  CREATE TABLE backup_job (id INTEGER PRIMARY KEY, started DATETIME, ended DATETIME)`

const types = { file: 'file', folder: 'directory', symlink: 'link' } as const

/** A database that was in WAL mode when it was copied, without its log: full paths with a slash before them, types as words, times as text. */
export const wal: ForeignLayout = {
  name: 'wal',
  keeps: { milliseconds: true, anyName: true, topFolder: true },
  truth: {
    index: 'export/snap.{number}',
    container: 'xz',
    content: 'sqlite',
    table: 'backup_file',
    shape: 'paths',
    columns: {
      path: 'file_path',
      type: 'file_type',
      mode: 'permissions',
      uid: 'owner_id',
      gid: 'group_id',
      size: 'file_size',
      mtime: 'last_modified',
      object: 'file_id',
      target: 'link_to',
    },
    times: 'iso',
    modes: 'octal',
    objectsBy: 'id',
    objects: 'plain',
  },
  write(snapshots) {
    const objects = new Objects({ keyOf: ({ id }) => `files/${id}` })
    const indexes = snapshots.map(({ number, created, entries }) => {
      const started = new Date(created * 1_000).toISOString()
      const bytes = databaseBytes(
        (db) => {
          db.exec(schema)
          insertAll(db, 'backup_job', [{ id: 1, started, ended: started }])
          const rows = entries.map((entry) => ({
            file_id: entry.content === undefined ? null : objects.add(entry.content).id,
            file_path: `/${entry.path}`,
            file_type: types[entry.kind],
            permissions: (entry.mode & 0o7777).toString(8).padStart(4, '0'),
            owner_id: entry.uid,
            group_id: entry.gid,
            file_size: entry.content?.length ?? null,
            last_modified: new Date(entry.modified).toISOString(),
            link_to: entry.target ?? null,
            crc: null,
          }))
          insertAll(db, 'backup_file', rows)
        },
        { wal: true },
      )
      return { key: `export/snap.${number}`, bytes: wrap(bytes, 'xz') }
    })
    return [...objects.stored(), ...indexes, ...snapshots.map(jsonManifest)]
  },
}

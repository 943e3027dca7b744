import { databaseBytes, insertAll } from '../database.ts'
import type { ForeignLayout } from '../layout.ts'
import { jsonManifest } from '../manifest.ts'
import { Objects } from '../objects.ts'
import { folderOf, isEmpty, nameOf } from '../source-tree.ts'
import { wrap } from '../wrap.ts'

const schema = `
  CREATE TABLE entries (
    id INTEGER PRIMARY KEY, parent_id INTEGER, name TEXT NOT NULL, perms TEXT, owner INTEGER, grp INTEGER,
    length INTEGER, modified INTEGER, object_id TEXT, target TEXT
  );
  CREATE INDEX entries_parent ON entries (parent_id, name);
  CREATE TABLE options (name TEXT, value TEXT)`

/** A row for each inode with the id of its folder, the top folder among them; modes in octal. */
export const parents: ForeignLayout = {
  name: 'parents',
  keeps: { milliseconds: false, anyName: true, topFolder: true },
  truth: {
    index: 'export/snap.{number}',
    container: 'zstd',
    content: 'sqlite',
    table: 'entries',
    shape: 'parents',
    columns: {
      id: 'id',
      parent: 'parent_id',
      name: 'name',
      mode: 'perms',
      uid: 'owner',
      gid: 'grp',
      size: 'length',
      mtime: 'modified',
      object: 'object_id',
      target: 'target',
    },
    times: 'seconds',
    modes: 'octal',
    objectsBy: 'id',
    objects: 'plain',
  },
  write(snapshots) {
    const objects = new Objects({ keyOf: ({ id }) => `files/${id}` })
    const indexes = snapshots.map(({ number, entries }) => {
      const ids = new Map(entries.map(({ path }, n) => [path, n + 1]))
      const bytes = databaseBytes((db) => {
        db.exec(schema)
        insertAll(db, 'options', [{ name: 'compress', value: 'no' }])
        const rows = entries.map((entry) => ({
          id: ids.get(entry.path) as number,
          parent_id: entry.path === '' ? null : (ids.get(folderOf(entry.path)) as number),
          name: nameOf(entry.path),
          perms: entry.mode.toString(8),
          owner: entry.uid,
          grp: entry.gid,
          length: entry.kind === 'folder' ? null : (entry.content ?? entry.target ?? '').length,
          modified: entry.modified / 1_000,
          object_id: isEmpty(entry) ? null : objects.add(entry.content as Buffer).id,
          target: entry.target ?? null,
        }))
        insertAll(db, 'entries', rows)
      })
      return { key: `export/snap.${number}`, bytes: wrap(bytes, 'zstd') }
    })
    return [...objects.stored(), ...indexes, ...snapshots.map(jsonManifest)]
  },
}

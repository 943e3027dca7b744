import { databaseBytes, insertAll, type Value } from '../database.ts'
import type { ForeignLayout } from '../layout.ts'
import { jsonManifest } from '../manifest.ts'
import { Objects, type StoredObject } from '../objects.ts'
import { isEmpty, type SourceEntry } from '../source-tree.ts'

const schema = `
  CREATE TABLE schema_info (version INTEGER, engine TEXT);
  CREATE TABLE files (
    path TEXT NOT NULL PRIMARY KEY, mode INTEGER NOT NULL, uid INTEGER, gid INTEGER, size INTEGER NOT NULL,
    mtime INTEGER NOT NULL, object TEXT, link TEXT
  );
  CREATE INDEX files_object ON files (object)`

function rowOf(entry: SourceEntry, object: StoredObject | undefined): Record<string, Value> {
  return {
    path: entry.path,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: entry.content?.length ?? 0,
    mtime: entry.modified / 1_000,
    object: object?.id ?? null,
    link: entry.target ?? null,
  }
}

/** A row for each full path, the object by its id; nothing about the top folder, no object for an empty file. */
export const paths: ForeignLayout = {
  name: 'paths',
  keeps: { milliseconds: false, anyName: true, topFolder: false },
  truth: {
    index: 'export/snap.{number}',
    container: 'plain',
    content: 'sqlite',
    table: 'files',
    shape: 'paths',
    columns: {
      path: 'path',
      mode: 'mode',
      uid: 'uid',
      gid: 'gid',
      size: 'size',
      mtime: 'mtime',
      object: 'object',
      target: 'link',
    },
    times: 'seconds',
    modes: 'decimal',
    objectsBy: 'id',
    objects: 'plain',
  },
  write(snapshots) {
    const objects = new Objects({ keyOf: ({ id }) => `files/${id}` })
    const indexes = snapshots.map(({ number, entries }) => ({
      key: `export/snap.${number}`,
      bytes: databaseBytes((db) => {
        db.exec(schema)
        insertAll(db, 'schema_info', [{ version: 3, engine: 'backup-engine' }])
        const rows = entries
          .filter(({ path }) => path !== '')
          .map((entry) => rowOf(entry, isEmpty(entry) ? undefined : objects.add(entry.content as Buffer)))
        insertAll(db, 'files', rows)
      }),
    }))
    return [...objects.stored(), ...indexes, ...snapshots.map(jsonManifest)]
  },
}

import { gzipSync } from 'node:zlib'
import { databaseBytes, insertAll } from '../database.ts'
import type { ForeignLayout } from '../layout.ts'
import { manifestMembers } from '../manifest.ts'
import { Objects } from '../objects.ts'
import { folderOf, nameOf } from '../source-tree.ts'

const schema = `
  CREATE TABLE info (key TEXT PRIMARY KEY, value TEXT);
  CREATE TABLE content (
    dir TEXT NOT NULL, base TEXT NOT NULL, kind CHAR(1), chmod TEXT, uid INTEGER, gid INTEGER, bytes INTEGER, stored INTEGER, mtime_ms INTEGER,
    blob_id TEXT, points_to TEXT
  );
  CREATE UNIQUE INDEX content_path ON content (dir, base)`

const kinds = { file: 'f', folder: 'd', symlink: 'l' } as const

/** The manifest is the database, and nothing is below `export/`: paths in two columns, objects gzipped. */
export const manifest: ForeignLayout = {
  name: 'manifest',
  keeps: { milliseconds: true, anyName: true, topFolder: false },
  truth: {
    index: 'snap.{number}/jetbackup.index',
    container: 'plain',
    content: 'sqlite',
    table: 'content',
    shape: 'paths',
    columns: {
      folder: 'dir',
      name: 'base',
      type: 'kind',
      mode: 'chmod',
      uid: 'uid',
      gid: 'gid',
      size: 'bytes',
      mtime: 'mtime_ms',
      object: 'blob_id',
      target: 'points_to',
    },
    times: 'milliseconds',
    modes: 'octal',
    objectsBy: 'id',
    objects: 'gzip',
  },
  write(snapshots) {
    const objects = new Objects({
      keyOf: ({ id }) => `files/${id}`,
      encode: (content) => gzipSync(content),
    })
    const manifests = snapshots.map((snapshot) => ({
      key: `snap.${snapshot.number}/jetbackup.index`,
      bytes: databaseBytes((db) => {
        db.exec(schema)
        const info = Object.entries(manifestMembers(snapshot))
        insertAll(
          db,
          'info',
          info.map(([key, value]) => ({ key, value: JSON.stringify(value) })),
        )
        const rows = snapshot.entries.slice(1).map((entry) => {
          const object = entry.content && objects.add(entry.content)
          return {
            dir: folderOf(entry.path),
            base: nameOf(entry.path),
            kind: kinds[entry.kind],
            chmod: (entry.mode & 0o7777).toString(8),
            uid: entry.uid,
            gid: entry.gid,
            bytes: object?.size ?? null,
            stored: object?.storedSize ?? null,
            mtime_ms: entry.modified,
            blob_id: object?.id ?? null,
            points_to: entry.target ?? null,
          }
        })
        insertAll(db, 'content', rows)
      }),
    }))
    return [...objects.stored(), ...manifests]
  },
}

import { gzipSync } from 'node:zlib'
import { databaseBytes, insertAll } from '../database.ts'
import type { ForeignLayout } from '../layout.ts'
import { jsonManifest } from '../manifest.ts'
import { Objects } from '../objects.ts'
import { folderOf, nameOf } from '../source-tree.ts'
import { wrap } from '../wrap.ts'

const schema = `
  CREATE TABLE f (i INTEGER PRIMARY KEY, p INTEGER, n BLOB, t INTEGER, m INTEGER, u INTEGER, g INTEGER, mt INTEGER, b INTEGER);
  CREATE TABLE b (i INTEGER PRIMARY KEY, k TEXT, s INTEGER, z INTEGER);
  CREATE TABLE l (i INTEGER PRIMARY KEY, d BLOB);
  CREATE TABLE x (i INTEGER, k TEXT, v BLOB);
  CREATE INDEX f_p ON f (p)`

const types = { file: 1, folder: 2, symlink: 3 } as const

const shards = 3

/**
 * Short names everywhere: files refer by number to a table of objects, which lie gzipped in three folders `files<digits>/`; permissions without the type, targets of symlinks in
 * a table of their own, names as BLOBs. The top folder is 0, and has no row.
 */
export const numeric: ForeignLayout = {
  name: 'numeric',
  keeps: { milliseconds: true, anyName: true, topFolder: false },
  truth: {
    index: 'export/snap.{number}',
    container: 'gzip',
    content: 'sqlite',
    table: 'f',
    shape: 'parents',
    columns: {
      id: 'i',
      parent: 'p',
      name: 'n',
      type: 't',
      mode: 'm',
      uid: 'u',
      gid: 'g',
      size: 'b.s',
      mtime: 'mt',
      object: 'b.k',
      target: 'l.d',
    },
    times: 'milliseconds',
    modes: 'decimal',
    objectsBy: 'key',
    objects: 'gzip',
  },
  write(snapshots) {
    const objects = new Objects({
      keyOf: ({ number, id }) => `files${String((number % shards) + 1).padStart(10, '0')}/${id}`,
      encode: (content) => gzipSync(content),
    })
    const indexes = snapshots.map(({ number, entries }) => {
      const ids = new Map(entries.map(({ path }, n) => [path, n]))
      const bytes = databaseBytes((db) => {
        db.exec(schema)
        const rows = entries.slice(1).map((entry) => ({
          i: ids.get(entry.path) as number,
          p: ids.get(folderOf(entry.path)) as number,
          n: Buffer.from(nameOf(entry.path), 'latin1'),
          t: types[entry.kind],
          m: entry.mode & 0o7777,
          u: entry.uid,
          g: entry.gid,
          mt: entry.modified,
          b: entry.content === undefined ? null : objects.add(entry.content).number,
        }))
        insertAll(db, 'f', rows)
        const links = entries.filter(({ kind }) => kind === 'symlink')
        insertAll(
          db,
          'l',
          links.map(({ path, target = '' }) => ({
            i: ids.get(path) as number,
            d: Buffer.from(target, 'latin1'),
          })),
        )
        insertAll(
          db,
          'b',
          objects
            .all()
            .map(({ number, key, size, storedSize }) => ({ i: number, k: key, s: size, z: storedSize })),
        )
      })
      return { key: `export/snap.${number}`, bytes: wrap(bytes, 'gzip') }
    })
    return [...objects.stored(), ...indexes, ...snapshots.map(jsonManifest)]
  },
}

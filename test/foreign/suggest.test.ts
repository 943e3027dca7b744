import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { ForeignDatabase } from '../../src/foreign/foreign-database.ts'
import { materialise } from '../../src/foreign/materialise.ts'
import { ObjectNames } from '../../src/foreign/object-names.ts'
import { profileDatabase } from '../../src/foreign/profile.ts'
import { type Suggestion, suggestMapping } from '../../src/foreign/suggest.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'
import { databaseBytes, insertAll } from '../support/foreign/database.ts'
import { sourceOf, writeObjects } from '../support/foreign/foreign-destination.ts'
import { foreignLayouts } from '../support/foreign/layouts.ts'
import { readSourceTree } from '../support/foreign/source-tree.ts'
import { inspected } from './inspected.ts'

/** Everything in an index but the top folder, by path. */
function entriesOf(path: string): readonly unknown[] {
  using database = new DatabaseSync(path, { readOnly: true })
  const rows = database
    .prepare(
      `WITH RECURSIVE t (path, ino) AS (SELECT '', 1 UNION ALL SELECT t.path || '/' || hex(d.name), d.ino FROM t JOIN dentry d ON d.parent = t.ino)
       SELECT t.path, mode, uid, gid, mtime * 1000 + mtime_ns / 1000000 AS modified, inode.size, hex(target) AS target
       FROM t JOIN inode USING (ino) WHERE t.path <> ''`,
    )
    .all()
  return rows
    .map(({ path, ...rest }) => ({
      ...rest,
      path: latin1Of(String(path)),
      target: latin1Of(String(rest.target)),
    }))
    .sort(byPath)
}

function latin1Of(hexNames: string): string {
  return hexNames
    .split('/')
    .map((hex) => Buffer.from(hex, 'hex').toString('latin1'))
    .join('/')
    .replace(/^\//, '')
}

function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : 1
}

function expectedOf(folder: string): readonly unknown[] {
  return readSourceTree(sourceOf(folder, 3))
    .filter(({ path }) => path !== '')
    .map(({ path, mode, uid, gid, modified, content, target = '' }) => ({
      path,
      mode,
      uid,
      gid,
      modified,
      size: content?.length ?? target.length,
      target,
    }))
    .sort(byPath)
}

for (const layout of foreignLayouts) {
  // One at a time: each of them starts processes.
  test.serial(
    `the mapping suggested for the layout ${layout.name} makes the tree of its source`,
    async (t) => {
      await using found = await inspected(t, layout)
      const { database, tables, kept, folder, options } = found
      const key = layout.truth.index.replace('{number}', '3')
      const suggestion = await suggestMapping(database, tables, {
        ...options,
        key,
        number: 3,
        numbers: [3, 4],
      })
      t.deepEqual(suggestion?.remarks, [])
      t.is(suggestion?.mapping.databases[0], layout.truth.index)
      const path = join(folder, 'index')
      const made = await materialise(
        { databases: [kept.path], mapping: suggestion!.mapping, number: 3, path },
        { onRows: () => {} },
      )
      t.deepEqual(made.faults, [])
      t.deepEqual(entriesOf(path), expectedOf(folder))
    },
  )
}

for (const layout of foreignLayouts.filter(({ name }) =>
  ['paths', 'parents', 'wal', 'manifest'].includes(name),
))
  test.serial(
    `of the layout ${layout.name} all but the owners is suggested without the names of columns`,
    async (t) => {
      await using found = await inspected(t, layout)
      const { tables, kept, folder, options } = found
      const { table, columns, index } = layout.truth
      const path = join(folder, 'renamed')
      await copyFile(kept.path, path)
      const names = tables.find(({ name }) => name === table)!.columns.map(({ name }) => name)
      const renamed = new Map(names.map((name, place) => [name, `f${place}`]))
      using writable = new DatabaseSync(path)
      for (const [name, other] of renamed)
        writable.exec(`ALTER TABLE ${table} RENAME COLUMN "${name}" TO ${other}`)
      writable.exec('PRAGMA journal_mode = DELETE')
      await using database = await ForeignDatabase.open(path)
      const profiled = await profileDatabase(database, options)
      const key = index.replace('{number}', '3')
      const suggestion = await suggestMapping(database, profiled, {
        ...options,
        key,
        number: 3,
        numbers: [3, 4],
      })
      const { uid: _uid, gid: _gid, type: _type, ...others } = columns
      const suggested = suggestion?.mapping.columns ?? {}
      for (const [role, column] of Object.entries(others)) {
        const name = layout.name === 'manifest' && (role === 'folder' || role === 'name') ? 'path' : role
        t.regex(
          suggested[name as keyof typeof suggested] ?? '',
          new RegExp(`\\b${renamed.get(column)}\\b`),
          role,
        )
      }
    },
  )

test.serial('sizes are suggested where some of the files in the backup are gzip themselves', async (t) => {
  const folder = await temporaryFolder(t)
  const files = Array.from({ length: 12 }, (_, n) => {
    const content = Buffer.from(`${n} a page of the account\n`.repeat(n + 20))
    return { id: String(n).padStart(24, '0'), content: n % 3 === 0 ? gzipSync(content) : content }
  })
  const rows = files.map(({ id, content }, n) => ({ p: `logs/${n}`, b: content.length, o: id }))
  const bytes = databaseBytes((db) => {
    db.exec('CREATE TABLE t (p, b, o)')
    insertAll(db, 't', rows)
  })
  writeObjects(folder, [
    { key: 'database', bytes },
    ...files.map(({ id, content }) => ({ key: `files/${id}`, bytes: content })),
  ])
  const store = new DirectoryStore(folder)
  const options = { store, objects: await ObjectNames.list(store, '') }
  await using database = await ForeignDatabase.open(join(folder, 'database'))
  const tables = await profileDatabase(database, options)
  const suggestion = await suggestMapping(database, tables, {
    ...options,
    key: 'export/snap.3',
    number: 3,
    numbers: [3],
  })
  t.deepEqual(suggestion?.remarks, [])
  t.deepEqual(suggestion?.mapping.columns, { path: 't.p', size: 't.b', object: 't.o' })
})

/** What is suggested for the table `t` that `fill` makes, of a snapshot whose objects are `o0`, `o1`, … of one byte. */
async function suggestedFor(
  t: ExecutionContext,
  fill: (database: DatabaseSync) => void,
): Promise<Suggestion | undefined> {
  const folder = await temporaryFolder(t)
  writeObjects(folder, [
    { key: 'database', bytes: databaseBytes(fill) },
    ...Array.from({ length: 40 }, (_, n) => ({ key: `files/o${n}`, bytes: Buffer.from('x') })),
  ])
  const store = new DirectoryStore(folder)
  const options = { store, objects: await ObjectNames.list(store, '') }
  await using database = await ForeignDatabase.open(join(folder, 'database'))
  const tables = await profileDatabase(database, options)
  return await suggestMapping(database, tables, { ...options, key: 'export/snap.3', number: 3, numbers: [3] })
}

test.serial('a path that stands there twice hinders no suggestion', async (t) => {
  const suggestion = await suggestedFor(t, (database) => {
    database.exec('CREATE TABLE t (p, b, o)')
    const rows = Array.from({ length: 40 }, (_, n) => ({ p: `mail/${Math.max(1, n)}`, b: 1, o: `o${n}` }))
    insertAll(database, 't', rows)
  })
  t.is(suggestion?.mapping.columns.path, 't.p')
  t.regex(suggestion?.columns.path?.why ?? '', /twice/)
})

test.serial('ids of folders in another table, which are also ids of files, are no parents', async (t) => {
  const suggestion = await suggestedFor(t, (database) => {
    database.exec('CREATE TABLE dirs (id, path); CREATE TABLE t (id, dir, name, b, o)')
    insertAll(
      database,
      'dirs',
      [1, 2, 3].map((id) => ({ id, path: `mail/${id}` })),
    )
    const rows = Array.from({ length: 40 }, (_, n) => ({
      id: n + 1,
      dir: (n % 3) + 1,
      name: `m${n}`,
      b: 1,
      o: `o${n}`,
    }))
    insertAll(database, 't', rows)
  })
  t.is(suggestion?.mapping.columns.parent, undefined)
})

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ForeignDatabase } from '../../src/foreign/foreign-database.ts'
import { ObjectNames } from '../../src/foreign/object-names.ts'
import { profileDatabase } from '../../src/foreign/profile.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'
import { databaseBytes } from '../support/foreign/database.ts'
import { foreignLayouts } from '../support/foreign/layouts.ts'
import { inspected } from './inspected.ts'

for (const layout of foreignLayouts) {
  // One at a time: each of them starts processes.
  test.serial(`the profile of the layout ${layout.name} points out what its columns are`, async (t) => {
    await using found = await inspected(t, layout)
    const { tables, kept } = found
    t.like(kept, { container: layout.truth.container, content: layout.truth.content })
    t.deepEqual(
      tables.filter(({ problem }) => problem !== undefined),
      [],
    )
    const { columns: roles, times, modes } = layout.truth
    const looks = (column: string | undefined): readonly string[] => {
      const [table, name] = column?.includes('.') ? column.split('.') : [layout.truth.table, column]
      const found = tables.find((each) => each.name === table)?.columns.find((each) => each.name === name)
      return (found?.looks ?? [])
        .filter(({ share }) => share > 0.85)
        .map(({ role, detail }) => `${role} ${detail}`)
    }
    const unit = { seconds: 's', milliseconds: 'ms', iso: 'iso' }[times]
    const expected = [
      [roles.mtime, `time ${unit}`],
      [roles.mode, `mode ${modes}`],
      [roles.object, /^object /],
      [roles.size, 'size unpacked'],
      [roles.parent, `parent ${roles.id}`],
      [roles.folder ?? roles.path, /^path/],
    ] as const
    for (const [column, look] of expected)
      if (column !== undefined)
        t.true(
          looks(column).some((found) => (typeof look === 'string' ? found === look : look.test(found))),
          `${column}: ${looks(column)}`,
        )
  })
}

const endless = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n'

test('a table that cannot be read is told of, and the others are shown', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'database')
  const views = [1, 2, 3, 4].map((n) => `CREATE VIEW v${n} AS ${endless};`)
  await writeFile(
    path,
    databaseBytes((db) =>
      db.exec(`CREATE TABLE a (i); INSERT INTO a VALUES (1), (2); CREATE VIEW self AS SELECT * FROM self;
        CREATE VIEW gone AS SELECT * FROM missing; CREATE VIRTUAL TABLE words USING fts5(w); ${views.join(' ')}`),
    ),
  )
  const store = new DirectoryStore(folder)
  await using database = await ForeignDatabase.open(path, { milliseconds: 400 })
  const tables = await profileDatabase(database, { store, objects: await ObjectNames.list(store, '') })
  const problems = Object.fromEntries(tables.map(({ name, problem }) => [name, problem ?? '']))
  t.is(problems.a, '')
  t.regex(problems.self ?? '', /circular/)
  t.regex(problems.gone ?? '', /no such table/)
  for (const name of ['v1', 'v2', 'v3']) t.regex(problems[name] ?? '', /longer than 0.4 seconds/)
  t.regex(problems.v4 ?? '', /not looked at/)
})

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test, { type ExecutionContext } from 'ava'
import { MappedTree } from '../../src/foreign/mapped-tree.ts'
import { type Mapping, usualTypes } from '../../src/foreign/mapping.ts'
import type { MaterialiseOptions } from '../../src/foreign/materialise.ts'
import { materialiseElsewhere } from '../../src/foreign/materialise-elsewhere.ts'

const plain: Mapping = {
  databases: ['export/full'],
  from: 'f',
  where: undefined,
  columns: { path: 'p', size: '0', object: 'NULL' },
  modeUnit: 'decimal',
  timeUnit: 's',
  types: usualTypes,
}

/** Two databases with the table `f`, and a place for an index. */
function prepare(t: ExecutionContext): Omit<MaterialiseOptions, 'mapping'> & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'materialise-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const databases = ['a', 'b'].map((name) => {
    const path = join(folder, name)
    using database = new DatabaseSync(path)
    database.exec(
      `CREATE TABLE f (p TEXT, snap INTEGER); INSERT INTO f VALUES ('${name}/3', 3), ('${name}/4', 4)`,
    )
    return path
  })
  return { folder, databases, number: 4, path: join(folder, 'index') }
}

function namesIn(path: string): string[] {
  using tree = MappedTree.open(path, '')
  return [...tree.entries(tree.root, 0)].flatMap(({ name, inode }) =>
    [...tree.entries(inode.ino, 0)].map((entry) => `${name}/${entry.name}`),
  )
}

test('rows may come from several databases, and of one snapshot of several', async (t) => {
  const prepared = prepare(t)
  const from = '(SELECT * FROM f UNION ALL SELECT * FROM db2.f)'
  const mapping = { ...plain, from, where: "snap = :number AND :snapshot = 'snap.4' -- of this one" }
  const counts: number[] = []
  const done = await materialiseElsewhere({ ...prepared, mapping }, { onRows: (rows) => counts.push(rows) })
  t.deepEqual(done, { rows: 2, totals: { files: 2, folders: 3, bytes: 0 }, faults: [] })
  t.deepEqual(counts, [2])
  t.deepEqual(namesIn(prepared.path), ['a/4', 'b/4'])
})

const endless = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)'
const hostile: Readonly<Record<string, readonly [from: string, code: string]>> = {
  'gives no row and does not end': [`(${endless} SELECT i AS p FROM n WHERE i < 0)`, 'query-limit'],
  'gives rows without end': [`(${endless} SELECT i AS p FROM n)`, 'query-limit'],
  'is another statement': ["f; ATTACH '/tmp/x' AS x", 'bad-query'],
  'loads an extension': ["(SELECT load_extension('x') AS p)", 'bad-query'],
  'reads no table that is there': ['g', 'bad-query'],
}

for (const [what, [from, code]] of Object.entries(hostile))
  test(`a mapping whose SQL ${what} is refused`, async (t) => {
    const { folder, ...prepared } = prepare(t)
    const limits = { milliseconds: 3000, maxRows: 20_000 }
    await t.throwsAsync(materialiseElsewhere({ ...prepared, mapping: { ...plain, from }, limits }, {}), {
      code,
    })
    t.false(readdirSync(folder).includes('index'))
  })

test('whoever gives up waits no longer', async (t) => {
  const { folder: _, ...prepared } = prepare(t)
  const stop = new AbortController()
  const [from] = hostile['gives no row and does not end'] as [string, string]
  const made = materialiseElsewhere({ ...prepared, mapping: { ...plain, from } }, { signal: stop.signal })
  stop.abort(new Error('enough'))
  await t.throwsAsync(made, { message: 'enough' })
})

import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { messageOf } from '../../src/base/errors.ts'
import { ForeignError } from '../../src/foreign/errors.ts'
import { keepForeignDatabase } from '../../src/foreign/foreign-cache.ts'
import { ForeignDatabase, type ForeignLimits } from '../../src/foreign/foreign-database.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { objectKey } from '../../src/store/object-store.ts'
import {
  circularViews,
  computedColumns,
  damagedDatabases,
  databaseWithSchema,
  doublingViews,
  largeValues,
  triggersAndFunctions,
  virtualTables,
  zstdBomb,
} from '../support/foreign/hostile.ts'
import { temporaryFolder } from '../support/mounted.ts'

/** Databases and queries that were made to harm: each ends in a clear error, in time, and nothing is written. */

const limits: Partial<ForeignLimits> = { memory: 256 << 20, maxRows: 100_000 }

/** A query that may not end by itself; all others have the time of a busy machine. */
interface LimitedQuery {
  readonly query: string
  readonly milliseconds: number
}

function briefly(query: string): LimitedQuery {
  return { query, milliseconds: 1_000 }
}

type Outcome = 'rows' | ForeignError['code']

/** Opens, asks each query, and tells what became of them; anything but rows and a `ForeignError` of one line fails the test. */
async function ask(
  t: ExecutionContext,
  bytes: Buffer,
  queries: readonly (string | LimitedQuery)[],
): Promise<{ query: string; outcome: Outcome; message?: string }[]> {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'database')
  await writeFile(path, bytes)
  const outcomes = await answers(t, path, queries)
  t.true(bytes.equals(await readFile(path)), 'it was written to')
  t.deepEqual(await readdir(folder.path), ['database'], 'something was left beside it')
  return outcomes
}

async function answers(
  t: ExecutionContext,
  path: string,
  queries: readonly (string | LimitedQuery)[],
): Promise<{ query: string; outcome: Outcome; message?: string }[]> {
  const outcomes: { query: string; outcome: Outcome; message?: string }[] = []
  let database: ForeignDatabase
  try {
    database = await ForeignDatabase.open(path, limits)
  } catch (error) {
    return [{ query: 'open', outcome: codeOf(t, error), message: messageOf(error) }]
  }
  await using _ = database
  for (const asked of queries) {
    const { query, milliseconds } =
      typeof asked === 'string' ? { query: asked, milliseconds: undefined } : asked
    try {
      await database.rows(query, { milliseconds })
      outcomes.push({ query, outcome: 'rows' })
    } catch (error) {
      outcomes.push({ query, outcome: codeOf(t, error), message: messageOf(error) })
    }
  }
  return outcomes
}

function codeOf(t: ExecutionContext, error: unknown): ForeignError['code'] {
  if (!(error instanceof ForeignError)) throw error
  t.regex(error.message, /^[^\n]{1,400}$/)
  return error.code
}

const sound = databaseWithSchema([])

const endless = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)'

test('queries that write, load, attach or look around are refused', async (t) => {
  const queries = [
    `SELECT load_extension('/tmp/x')`,
    `SELECT writefile('/tmp/jbfs-hostile', 'x')`,
    `SELECT readfile('/etc/passwd')`,
    `SELECT edit('x')`,
    `SELECT path FROM files WHERE load_extension(path)`,
    `SELECT path FROM files ORDER BY load_extension(path)`,
    `SELECT path FROM files GROUP BY size HAVING max(writefile(path, ''))`,
    `SELECT (SELECT (SELECT load_extension('x')))`,
    `ATTACH '/tmp/jbfs-hostile' AS x`,
    `DETACH main`,
    `VACUUM INTO '/tmp/jbfs-hostile'`,
    `VACUUM`,
    `REINDEX`,
    `ANALYZE`,
    `BEGIN`,
    `SAVEPOINT s`,
    `INSERT INTO files VALUES (9, 'x', 0) RETURNING path`,
    `UPDATE files SET path = 'x' RETURNING path`,
    `DELETE FROM files RETURNING path`,
    `REPLACE INTO files VALUES (1, 'x', 0) RETURNING path`,
    `WITH x AS (SELECT 1) DELETE FROM files RETURNING path`,
    `CREATE TABLE x (a)`,
    `CREATE TEMP TABLE x (a)`,
    `CREATE TEMP VIEW x AS SELECT 1`,
    `CREATE TEMP TRIGGER x AFTER INSERT ON files BEGIN SELECT 1; END`,
    `CREATE VIRTUAL TABLE temp.x USING fts5(a)`,
    `DROP TABLE files`,
    `ALTER TABLE files ADD COLUMN x`,
    `PRAGMA trusted_schema = ON`,
    `PRAGMA writable_schema = ON`,
    `PRAGMA mmap_size = 1099511627776`,
    `PRAGMA temp_store_directory = '/etc'`,
    `PRAGMA journal_mode = WAL`,
    `PRAGMA wal_checkpoint`,
    `SELECT * FROM pragma_database_list`,
    `SELECT * FROM pragma_compile_options`,
    `SELECT * FROM sqlite_dbpage`,
    `SELECT 1; DELETE FROM files`,
    `SELECT 1) SELECT 2 FROM (SELECT 1`,
    `SELECT 1 /*`,
    `SELECT randomblob(2000000000)`,
    `SELECT zeroblob(2000000000)`,
  ]
  for (const { query, outcome } of await ask(t, sound, queries))
    t.true(['bad-query', 'query-limit'].includes(outcome), `${query}: ${outcome}`)
  t.false(existsSync('/tmp/jbfs-hostile'))
})

test('queries that would never end, or take all memory, end at a limit, and the next one is answered', async (t) => {
  const queries = [
    `${endless} SELECT i FROM n WHERE i < 0`,
    `${endless} SELECT i FROM n`,
    `${endless} SELECT max(i) FROM n`,
    `${endless} SELECT i FROM n ORDER BY -i`,
    `${endless} SELECT DISTINCT i % 1000000007 FROM n`,
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION SELECT i + 1 FROM n) SELECT count(*) FROM n`,
    `WITH RECURSIVE n (t) AS (SELECT 'x' UNION ALL SELECT t || t FROM n) SELECT length(t) FROM n`,
    `${endless} SELECT group_concat(i) FROM n`,
    `${endless} SELECT json_group_array(i) FROM n`,
    `${endless} SELECT a.i FROM n AS a, n AS b WHERE a.i < 0`,
    `${endless} SELECT sum(i) OVER (ORDER BY i DESC) FROM n`,
    `SELECT printf('%.*c', 2000000000, 'x')`,
    `SELECT replace(printf('%.1000000c', 'a'), 'a', printf('%.1000000c', 'b'))`,
    `SELECT count(*) FROM ${Array.from({ length: 40 }, (_, n) => `files AS f${n}`).join(', ')}`,
  ]
  for (const { query, outcome } of await ask(t, sound, queries.map(briefly))) {
    const short = query.slice(0, 100)
    // What is too long for a value is a fault of the query.
    t.true(['query-limit', 'bad-query'].includes(outcome), `${short}: ${outcome}`)
  }
  const after = await ask(t, sound, [
    briefly(`${endless} SELECT i FROM n WHERE i < 0`),
    'SELECT path FROM files',
  ])
  t.deepEqual(
    after.map(({ outcome }) => outcome),
    ['query-limit', 'rows'],
  )
})

test('SQL that is too much for a parser is refused', async (t) => {
  const queries = [
    `SELECT ${'('.repeat(5_000)}1${')'.repeat(5_000)}`,
    `SELECT ${'-'.repeat(1)}${'~'.repeat(50_000)}1`,
    `SELECT ${Array.from({ length: 5_000 }, (_, n) => n).join(', ')}`,
    Array.from({ length: 5_000 }, () => 'SELECT 1').join(' UNION ALL '),
    `SELECT '${'x'.repeat(20 << 20)}'`,
    '\0SELECT 1',
    'SELECT 1 \0',
  ]
  for (const { query, outcome } of await ask(t, sound, queries))
    t.not(outcome, 'bad-database', query.slice(0, 40))
})

test('views over themselves are refused', async (t) => {
  const outcomes = await ask(t, circularViews(), [
    'SELECT * FROM own',
    'SELECT * FROM here',
    'SELECT path FROM files',
  ])
  t.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    ['bad-query', 'bad-query', 'rows'],
  )
  t.regex(outcomes[0]?.message ?? '', /circularly defined/)
})

test('views that double and double again end at a limit', async (t) => {
  const [last, first] = await ask(t, doublingViews(40), [
    briefly('SELECT count(*) FROM v40'),
    'SELECT count(*) FROM v2',
  ])
  t.true(['query-limit', 'bad-query'].includes(last?.outcome ?? ''), last?.outcome)
  t.is(first?.outcome, 'rows')
})

test('what a schema would run for who reads it does not run', async (t) => {
  const outcomes = await ask(t, triggersAndFunctions(), [
    'SELECT path FROM loads',
    'SELECT path FROM writes',
    'SELECT path FROM fills',
    briefly('SELECT count(path) FROM endless'),
    'SELECT path FROM files',
  ])
  t.deepEqual(
    outcomes.map(({ outcome }) => outcome),
    ['bad-query', 'bad-query', 'bad-query', 'query-limit', 'rows'],
  )
  t.false(existsSync('/tmp/jbfs-hostile'))
})

test('virtual tables, and computed columns of functions that touch the system, are refused', async (t) => {
  const virtual = await ask(t, virtualTables(), [
    'SELECT * FROM passwords',
    'SELECT * FROM pages',
    'SELECT * FROM search',
    'SELECT path FROM files',
  ])
  t.is(virtual.pop()?.outcome, 'rows')
  for (const { query, outcome } of virtual) t.is(outcome, 'bad-query', query)
  const [computed] = await ask(t, computedColumns(), ['SELECT * FROM computed'])
  t.not(computed?.outcome, 'rows')
})

test('a value of many megabytes ends the query that reads it, and no other', async (t) => {
  const outcomes = await ask(t, largeValues(200), [
    'SELECT path FROM files',
    'SELECT hex(path) FROM files',
    'SELECT id FROM files',
    'SELECT * FROM "\u001b[31m""red\n"',
  ])
  t.deepEqual(
    outcomes.map(({ outcome }) => outcome === 'rows'),
    [false, false, true, true],
  )
})

test('malformed pages give rows or an error, and never more', async (t) => {
  const queries = [
    'SELECT name, sql FROM sqlite_schema',
    'SELECT count(*), sum(size), max(length(path)) FROM files',
    `SELECT path FROM files WHERE path > 'path' ORDER BY path`,
  ].map(briefly)
  let refused = 0
  const each = damagedDatabases().values()
  const worker = async (): Promise<void> => {
    for (const { title, bytes } of each) {
      const outcomes = await ask(t, bytes, queries)
      for (const { query, outcome, message } of outcomes) {
        if (outcome !== 'rows') refused++
        // What is shorter than any page is an empty database to SQLite.
        const isEmpty = outcome === 'bad-query' && bytes.length < 512
        t.true(
          isEmpty || ['rows', 'bad-database', 'query-limit'].includes(outcome),
          `${title}: ${query}: ${outcome}: ${message}`,
        )
      }
    }
  }
  await Promise.all([worker(), worker()])
  t.true(refused > 30, 'too few of them are damaged where anybody looks')
})

test('ten gigabytes of zeros in some hundred kilobytes end at the limit of the cache, and leave nothing', async (t) => {
  await using folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  await mkdir(destination)
  const bomb = zstdBomb(10 * 2 ** 30)
  t.true(bomb.length < 400_000)
  await writeFile(join(destination, 'bomb'), bomb)
  const cacheDir = join(folder.path, 'cache')
  await t.throwsAsync(
    keepForeignDatabase(objectKey('bomb'), { store: new DirectoryStore(destination), cacheDir }),
    { code: 'unpack-limit' },
  )
  t.deepEqual(await readdir(join(cacheDir, 'foreign')), [])
})

const documents: Readonly<Record<string, string>> = {
  'lists in lists': '['.repeat(2_000_000),
  'objects in objects': `${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}`,
  'rows in rows': `${'[{"a":'.repeat(5_000)}1${'}]'.repeat(5_000)}`,
  'members for names': `[{${Array.from({ length: 5_000 }, (_, n) => `"m${n}":1`)}}]`,
}

for (const [title, text] of Object.entries(documents))
  test(`JSON made to harm ends in an error: ${title}`, async (t) => {
    await using folder = await temporaryFolder()
    const destination = join(folder.path, 'destination')
    await mkdir(destination)
    await writeFile(join(destination, 'list'), text)
    const options = { store: new DirectoryStore(destination), cacheDir: join(folder.path, 'cache') }
    const error = await t.throwsAsync(keepForeignDatabase(objectKey('list'), options), {
      instanceOf: ForeignError,
    })
    t.true(['bad-database', 'unpack-limit'].includes(error?.code ?? ''))
    t.deepEqual(await readdir(join(folder.path, 'cache/foreign')), [])
  })

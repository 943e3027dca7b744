import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test, { type ExecutionContext } from 'ava'
import { ForeignDatabase } from '../../src/foreign/foreign-database.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'

async function databaseWith(t: ExecutionContext, sql: string, name = 'database'): Promise<string> {
  const path = join(await temporaryFolder(t), name)
  const database = new DatabaseSync(path)
  database.exec(sql)
  database.close()
  return path
}

const endless =
  'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE i < 0'

test('values of a foreign database come as they are', async (t) => {
  const path = await databaseWith(
    t,
    `CREATE TABLE v (a);
     INSERT INTO v VALUES (NULL), (-1), (1.5), ('plain'), (''), ('é'), (CAST(x'61ff62' AS TEXT)), (CAST(x'610062' AS TEXT)), (x'00ff'), (9223372036854775807),
       (9007199254740991), ('t'), ('x41')`,
  )
  await using database = await ForeignDatabase.open(path)
  t.deepEqual((await database.rows('SELECT a FROM v ORDER BY rowid; ')).flat(), [
    null,
    -1,
    1.5,
    'plain',
    '',
    'é',
    Buffer.from('a\xffb', 'latin1'),
    'a\0b',
    new Uint8Array([0, 255]),
    9223372036854775807n,
    9007199254740991,
    't',
    'x41',
  ])
})

test('several queries go on at the same time, in batches and in their order', async (t) => {
  const path = await databaseWith(
    t,
    `CREATE TABLE n (i); WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s LIMIT 5000) INSERT INTO n SELECT i FROM s`,
  )
  await using database = await ForeignDatabase.open(path)
  const up = database.query('SELECT i FROM n ORDER BY i -- upwards')[Symbol.asyncIterator]()
  const first = (await up.next()).value
  t.deepEqual(first?.slice(0, 2), [[1], [2]])
  const down = await database.rows('SELECT i FROM n WHERE i > :least ORDER BY i DESC', {
    parameters: { least: 2000, other: 1 },
  })
  t.is(down.length, 3000)
  t.deepEqual(down[0], [5000])
  const second = (await up.next()).value
  t.deepEqual(second?.[0], [first!.length + 1])
  await up.return?.()
})

test('several databases are read together', async (t) => {
  const one = await databaseWith(t, 'CREATE TABLE a (i); INSERT INTO a VALUES (1)')
  const two = await databaseWith(t, 'CREATE TABLE b (i); INSERT INTO b VALUES (2)', 'what? is #this%')
  await using database = await ForeignDatabase.open([one, two])
  t.deepEqual(await database.rows('SELECT a.i, b.i FROM main.a, db2.b'), [[1, 2]])
})

test('a foreign database only reads', async (t) => {
  const path = await databaseWith(t, 'CREATE TABLE a (i); INSERT INTO a VALUES (1)')
  await using database = await ForeignDatabase.open(path)
  for (const sql of [
    `ATTACH '/tmp/x' AS x`,
    `SELECT load_extension('x')`,
    `SELECT fts3_tokenizer('x')`,
    'DELETE FROM a RETURNING i',
    'CREATE TEMP TABLE x AS SELECT 1',
    'PRAGMA journal_mode = DELETE',
    'PRAGMA writable_schema = 1',
    'SELECT * FROM pragma_database_list',
    'SELECT 1; SELECT 2',
    'SELECT 1) SELECT (2',
    'SELECT zeroblob(1000)',
    'SELECT nothing FROM a',
    '',
  ])
    await t.throwsAsync(database.rows(sql), { code: 'bad-query' }, sql)
  t.deepEqual(await database.rows('SELECT i FROM a'), [[1]])
  t.deepEqual(await database.rows(`SELECT name FROM pragma_table_xinfo('a')`), [['i']])
})

test('what is no database is said to be none', async (t) => {
  const path = join(await temporaryFolder(t), 'none')
  await writeFile(path, 'SQLite format 3\0'.padEnd(4096, 'x'))
  await t.throwsAsync(ForeignDatabase.open(path), { code: 'bad-database' })
  await t.throwsAsync(ForeignDatabase.open(`${path}.absent`), { code: 'bad-database' })
})

test('a query ends at its limits, and the next one is answered', async (t) => {
  const path = await databaseWith(t, 'CREATE TABLE a (i); INSERT INTO a VALUES (1), (2), (3)')
  await using database = await ForeignDatabase.open(path, { memory: 160 << 20 })
  await t.throwsAsync(database.rows(endless, { milliseconds: 300 }), {
    code: 'query-limit',
    message: /longer than 0.3 seconds/,
  })
  await t.throwsAsync(database.rows('SELECT i FROM a', { maxRows: 2 }), {
    code: 'query-limit',
    message: /2 rows/,
  })
  const large = Array.from({ length: 20 }, (_, column) => `max(printf('%.15000000d', i + ${column}))`)
  const much = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT ${large} FROM n`
  await t.throwsAsync(database.rows(much), { code: 'query-limit', message: /160 MiB of memory/ })
  t.deepEqual(await database.rows('SELECT count(*) FROM a'), [[3]])
})

test('a query can be aborted', async (t) => {
  const path = await databaseWith(t, 'CREATE TABLE a (i)')
  await using database = await ForeignDatabase.open(path)
  const abort = new AbortController()
  const rows = database.rows(endless, { signal: abort.signal })
  setTimeout(() => abort.abort(new Error('enough')), 100)
  await t.throwsAsync(rows, { message: 'enough' })
  t.deepEqual(await database.rows('SELECT 1'), [[1]])
})

test('a database in WAL mode opens without its -wal', async (t) => {
  const path = join(await temporaryFolder(t), 'wal')
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE a (i); INSERT INTO a VALUES (1)')
  database.close()
  await using foreign = await ForeignDatabase.open(path)
  t.deepEqual(await foreign.rows('SELECT i FROM a'), [[1]])
})

for (const encoding of ['UTF-16le', 'UTF-16be'])
  test(`text of a database in ${encoding} is read as text`, async (t) => {
    const texts = ['plain', 'é', '日本', 'a\0b', '\u{1f5ff}', '']
    const path = await databaseWith(
      t,
      `PRAGMA encoding = '${encoding}'; CREATE TABLE v (a); INSERT INTO v VALUES ('plain'), ('é'), ('日本'), ('a' || char(0) || 'b'), ('\u{1f5ff}'), ('')`,
    )
    await using database = await ForeignDatabase.open(path)
    t.deepEqual((await database.rows('SELECT a FROM v ORDER BY rowid')).flat(), texts)
  })

test('a query that waits for its turn takes none of its time meanwhile', async (t) => {
  const path = await databaseWith(t, 'CREATE TABLE a (i); INSERT INTO a VALUES (1)')
  await using database = await ForeignDatabase.open(path)
  const long = endless.replace('i + 1 FROM n', 'i + 1 FROM n LIMIT 5000000')
  const started = performance.now()
  await database.rows(long)
  const milliseconds = (performance.now() - started) / 2
  const slow = database.rows(long)
  const quick = await database.rows('SELECT i FROM a', { milliseconds })
  t.deepEqual(quick, [[1]])
  t.deepEqual(await slow, [[0]])
})

test('what is looked at all at once has a limit', async (t) => {
  const path = await databaseWith(t, 'CREATE TABLE a (i)')
  await using database = await ForeignDatabase.open(path, { keptBytes: 1 << 20 })
  const wide = `SELECT printf('%.1000c', 'x') FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 600) SELECT i FROM n)`
  t.is((await database.rows(wide)).length, 600)
  await t.throwsAsync(database.rows(wide), { code: 'query-limit', message: /more than 1\.0 MiB/ })
})

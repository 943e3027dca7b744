import { execFileSync } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import test, { type ExecutionContext } from 'ava'
import { keepForeignDatabase } from '../../src/foreign/foreign-cache.ts'
import { ForeignDatabase } from '../../src/foreign/foreign-database.ts'
import { unpacked } from '../../src/foreign/unpack.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { objectKey } from '../../src/store/object-store.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'
import { databaseBytes } from '../support/foreign/database.ts'
import { wrap } from '../support/foreign/wrap.ts'

const containers = ['plain', 'zstd', 'gzip', 'xz', 'bzip2'] as const

async function put(t: ExecutionContext, bytes: Buffer): Promise<Parameters<typeof keepForeignDatabase>[1]> {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'destination/object')
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
  return { store: new DirectoryStore(dirname(path)), cacheDir: join(folder, 'cache') }
}

for (const container of containers) {
  test(`a database in ${container} is kept unpacked`, async (t) => {
    const database = databaseBytes((db) => db.exec('CREATE TABLE a (i); INSERT INTO a VALUES (7)'))
    const options = await put(t, wrap(database, container))
    const kept = await keepForeignDatabase(objectKey('object'), options)
    t.like(kept, { container, content: 'sqlite' })
    await using foreign = await ForeignDatabase.open(kept!.path)
    t.deepEqual(await foreign.rows('SELECT i FROM a'), [[7]])
    let fetched = 0
    await keepForeignDatabase(objectKey('object'), { ...options, onBytes: (bytes) => (fetched += bytes) })
    t.is(fetched, 0)
  })

  if (container === 'plain') continue
  test(`a database in ${container} that ends early is refused, and leaves nothing`, async (t) => {
    const rows = (db: DatabaseSync): void => db.exec('CREATE TABLE a AS SELECT hex(randomblob(500000)) AS r')
    const packed = wrap(databaseBytes(rows), container)
    const options = await put(t, packed.subarray(0, packed.length - 1000))
    await t.throwsAsync(keepForeignDatabase(objectKey('object'), options), { code: 'bad-packing' })
    t.deepEqual(await readdir(join(options.cacheDir, 'foreign')), [])
  })
}

test('what is neither a database nor JSON is refused by its first bytes', async (t) => {
  const options = await put(t, Buffer.from('hello'))
  await t.throwsAsync(keepForeignDatabase(objectKey('object'), options), { code: 'bad-database' })
  t.is(await keepForeignDatabase(objectKey('other'), options), undefined)
})

for (const program of ['gzip', 'xz', 'bzip2', 'zstd'] as const) {
  test(`a bomb of ${program} ends at the limit`, async (t) => {
    const path = join(await temporaryFolder(t), 'zeros')
    await using file = await open(path, 'w')
    await file.truncate(64 << 20)
    const packed =
      program === 'zstd' ? wrap(Buffer.alloc(64 << 20), 'zstd') : execFileSync(program, ['-c', path])
    await writeFile(path, packed)
    const reading = async (): Promise<void> => {
      for await (const _chunk of unpacked(program, createReadStream(path), { limit: 8 << 20 }));
    }
    await t.throwsAsync(reading(), { code: 'unpack-limit', message: /8.0 MiB/ })
  })
}

test('lists of objects in JSON become tables', async (t) => {
  const document = {
    version: 2,
    engine: { name: 'x' },
    tags: ['a', 'b'],
    list: [
      { p: 'a/é', len: 1, flag: true, more: { u: 5 } },
      { p: 'b', LEN: 2.5, versions: [{ n: 1 }, { n: 2 }] },
    ],
    tree: [{ name: 'top', tree: [{ name: 'below' }] }],
  }
  const options = await put(t, Buffer.from(` \n${JSON.stringify(document)}`))
  const kept = await keepForeignDatabase(objectKey('object'), options)
  t.like(kept, { container: 'plain', content: 'json' })
  await using foreign = await ForeignDatabase.open(kept!.path)
  t.deepEqual(await foreign.rows('SELECT * FROM document'), [[1, 2, 'x', '["a","b"]']])
  t.deepEqual(await foreign.rows('SELECT typeof(version) FROM document'), [['integer']])
  t.deepEqual(await foreign.rows('SELECT p, len, flag, more_u FROM list'), [
    ['a/é', 1, 1, 5],
    ['b', 2.5, null, null],
  ])
  t.deepEqual(await foreign.rows('SELECT _parent, n FROM versions'), [
    [2, 1],
    [2, 2],
  ])
  t.deepEqual(await foreign.rows('SELECT a.name, b.name FROM tree a JOIN tree b ON a._parent = b._id'), [
    ['below', 'top'],
  ])
})

test('JSON that is none is refused', async (t) => {
  const options = await put(t, Buffer.from('{"a": [1,'))
  await t.throwsAsync(keepForeignDatabase(objectKey('object'), options), {
    code: 'bad-database',
    message: /no JSON/,
  })
})

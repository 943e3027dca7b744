import { join } from 'node:path'
import test from 'ava'
import { ForeignDatabase } from '../../src/foreign/foreign-database.ts'
import { JsonTables } from '../../src/foreign/json-tables.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'

test('numbers of a document that are larger than others can be are not rounded', async (t) => {
  const path = join(await temporaryFolder(t), 'tables')
  const text = `[{"ns": 1700000000123456789, "id": 99999999999999999999, "list": [9007199254740993], "share": 0.1234567890123456, "few": 7}]`
  JsonTables.read(Buffer.from(text)).write(path)
  await using database = await ForeignDatabase.open(path)
  t.deepEqual(await database.rows('SELECT ns, id, list, share, few FROM rows'), [
    [1700000000123456789n, '99999999999999999999', '[9007199254740993]', 0.1234567890123456, 7],
  ])
})

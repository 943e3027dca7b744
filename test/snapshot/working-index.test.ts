import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { WorkingIndex } from '../../src/snapshot/working-index.ts'
import { temporaryFolder } from '../support/mounted.ts'

test('nobody else can read the names in a working index', async (t) => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'working.sqlite')
  using _working = new WorkingIndex(path)
  t.is((await stat(path)).mode & 0o777, 0o600)
  t.throws(() => new WorkingIndex(path), { code: 'EEXIST' })
})

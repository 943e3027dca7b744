import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { moveNew } from '../../src/store/move-new.ts'
import { temporaryFolder } from '../support/mounted.ts'

/** link(2) as file systems without links have it. */
function failing(code: string): () => void {
  return () => {
    throw Object.assign(new Error(code), { code })
  }
}

for (const code of [undefined, 'EPERM', 'ENOTSUP'])
  test(`a name is given only once${code === undefined ? '' : `, though link(2) answers ${code}`}`, async (t) => {
    await using folder = await temporaryFolder()
    const [first, second, name] = ['first', 'second', 'nämé'].map((each) => join(folder.path, each)) as [
      string,
      string,
      string,
    ]
    await writeFile(first, 'first')
    await writeFile(second, 'second')
    const makeLink = code === undefined ? undefined : failing(code)
    moveNew(first, name, makeLink)
    t.throws(() => moveNew(second, name, makeLink), { code: 'exists' })
    t.is(await readFile(name, 'utf8'), 'first')
    t.is(await readFile(second, 'utf8'), 'second')
  })

test('other faults of link(2) are those of the put', (t) => {
  t.throws(() => moveNew('/no/such/file', '/no/such/name'), { code: 'ENOENT' })
  t.throws(() => moveNew('/no/such/file', '/no/such/name', failing('ENOSPC')), { code: 'ENOSPC' })
})

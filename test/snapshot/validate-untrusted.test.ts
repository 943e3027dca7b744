import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { validateUntrusted } from '../../src/snapshot/validate-untrusted.ts'
import { temporaryFolder, writeTree } from './write-tree.ts'

test('another process looks at an index, and says what is in it or wrong with it', async (t) => {
  const folder = await temporaryFolder(t)
  writeTree(join(folder, 'valid index'), () => {})
  await writeFile(join(folder, 'none'), 'SQLite format 3\0')
  t.deepEqual(await validateUntrusted(join(folder, 'valid index')), { inodes: 1, bytes: 0 })
  t.regex(String(await validateUntrusted(join(folder, 'none'))), /cannot be read|mark of jbfs/)
})

test('looking at an index ends at its time limit', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  writeTree(path, () => {})
  // No process has started after a millisecond.
  t.is(await validateUntrusted(path, { limit: 1 }), 'looking at it takes too long')
})

test('looking at an index can be aborted', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  writeTree(path, () => {})
  const abort = new AbortController()
  const looking = validateUntrusted(path, { signal: abort.signal })
  abort.abort(new Error('enough'))
  await t.throwsAsync(looking, { message: 'enough' })
  await t.throwsAsync(validateUntrusted(path, { signal: abort.signal }), { message: 'enough' })
})

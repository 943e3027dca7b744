import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { objectKey } from '../../src/store/object-store.ts'
import { objectStoreSuite } from '../conformance/object-store.ts'
import { temporaryFolder } from '../support/mounted.ts'

objectStoreSuite(test, {
  name: 'directory',
  async open() {
    const folder = await temporaryFolder()
    return {
      store: new DirectoryStore(folder.path),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  },
  refused: ['', '.', '..', '../x', 'a/../../x', 'a//b', '/a', 'nul\0', 'x'.repeat(256)],
})

test('a folder that is not there is no empty store', async (t) => {
  const store = new DirectoryStore('/no/such/folder')
  await t.throwsAsync(store.get(objectKey('key')), { code: 'no-bucket' })
  await t.throwsAsync(Array.fromAsync(store.list('')), { code: 'no-bucket' })
  await t.throwsAsync(store.put(objectKey('key'), Buffer.from('x')), { code: 'no-bucket' })
})

test('a listing with a delimiter looks into no other folder, symlinks lead nowhere', async (t) => {
  await using folder = await temporaryFolder()
  const root = join(folder.path, 'root')
  await mkdir(join(root, 'files'), { recursive: true })
  await writeFile(join(folder.path, 'outside'), 'secret')
  await symlink('../outside', join(root, 'link'))
  await symlink('..', join(root, 'up'))
  const store = new DirectoryStore(root)
  t.is(await store.get(objectKey('link')), undefined)
  t.deepEqual(await Array.fromAsync(store.list('', { delimiter: '/' })), [
    { objects: [], prefixes: ['files/'] },
  ])
})

test('a put that fails leaves no temporary file', async (t) => {
  await using folder = await temporaryFolder()
  const store = new DirectoryStore(folder.path)
  await t.throwsAsync(
    store.put(objectKey('key'), { path: '/no/such/file', ranges: [{ offset: 0, length: 1 }] }),
  )
  t.deepEqual(await readdir(folder.path), [])
})

import { readdirSync, readlinkSync } from 'node:fs'
import { mkdir, open, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { objectKey } from '../../src/store/object-store.ts'
import { objectStoreSuite } from '../conformance/object-store.ts'
import { temporaryFolder } from '../support/mounted.ts'
import { openFiles } from '../support/open-files.ts'
import { output } from '../support/run.ts'

objectStoreSuite(test, {
  name: 'directory',
  async open() {
    const folder = await temporaryFolder()
    return {
      store: new DirectoryStore(folder.path),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  },
  refused: [
    '',
    '.',
    '..',
    '../x',
    'a/../../x',
    'a//b',
    '/a',
    'nul\0',
    'x'.repeat(256),
    '.jbfs-tmp-a',
    '.jbfs-tmp-a/b',
  ],
})

test.serial('what is written is as old as the clock says, also after the clock was set', async (t) => {
  await using folder = await temporaryFolder()
  const store = new DirectoryStore(folder.path)
  const clock = Date.now
  try {
    Date.now = () => clock() + 3_600_000
    const { modified } = await store.put(objectKey('key'), Buffer.from('x'))
    t.true(Math.abs(Date.now() - modified) < 60_000)
  } finally {
    Date.now = clock
  }
})

test.serial('a part of which the system takes a little at a time is kept whole', async (t) => {
  await using folder = await temporaryFolder()
  const store = new DirectoryStore(folder.path)
  const key = objectKey('key')
  const bytes = Buffer.from('all of the part')
  const upload = await store.parts.begin(key)
  await using file = await open(folder.path)
  const handles = Object.getPrototypeOf(file)
  const { write } = handles
  try {
    handles.write = function (from: Buffer, start: number, length: number, position: number) {
      return write.call(this, from, start, Math.min(length, 7), position)
    }
    const sent = await store.parts.put(key, upload, { number: 1, offset: 0, bytes })
    await store.parts.complete(key, upload, [sent], { size: bytes.length })
  } finally {
    handles.write = write
  }
  t.deepEqual((await store.get(key))?.bytes, bytes)
})

test.serial('what was deleted is so on the disk, too, once for each folder', async (t) => {
  await using folder = await temporaryFolder()
  const store = new DirectoryStore(folder.path)
  const keys = ['stays/1', 'stays/2', 'stays/gone/3', 'gone/deep/4', 'gone/deep/5'].map(objectKey)
  for (const key of [...keys, objectKey('stays/6')]) await store.put(key, Buffer.from('x'))
  await using file = await open(folder.path)
  const handles = Object.getPrototypeOf(file)
  const { sync } = handles
  const synced: { path: string; left: string[] }[] = []
  try {
    handles.sync = function () {
      const path = readlinkSync(`/proc/self/fd/${this.fd}`)
      synced.push({ path: relative(folder.path, path), left: readdirSync(path) })
      return sync.call(this)
    }
    await store.delete(keys)
  } finally {
    handles.sync = sync
  }
  t.true(synced.length <= 3)
  t.deepEqual(
    new Map(synced.map(({ path, left }) => [path, left])),
    new Map([
      ['stays', ['6']],
      ['', ['stays']],
    ]),
  )
})

test('a folder that is not there is no empty store', async (t) => {
  const store = new DirectoryStore('/no/such/folder')
  await t.throwsAsync(store.get(objectKey('key')), { code: 'no-bucket' })
  await t.throwsAsync(Array.fromAsync(store.list('')), { code: 'no-bucket' })
  await t.throwsAsync(store.put(objectKey('key'), Buffer.from('x')), { code: 'no-bucket' })
})

test('a file is no store', async (t) => {
  await using folder = await temporaryFolder()
  await writeFile(join(folder.path, 'file'), 'x')
  const store = new DirectoryStore(join(folder.path, 'file'))
  await t.throwsAsync(store.get(objectKey('key')), { code: 'no-bucket' })
  await t.throwsAsync(Array.fromAsync(store.list('')), { code: 'no-bucket' })
})

test('a listing with a delimiter looks into no other folder', async (t) => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'files'))
  const store = new DirectoryStore(folder.path)
  t.deepEqual(await Array.fromAsync(store.list('', { delimiter: '/' })), [
    { objects: [], prefixes: ['files/'] },
  ])
})

test('symlinks lead nowhere, be it to read, to write or to delete', async (t) => {
  await using folder = await temporaryFolder()
  const [root, outside] = [join(folder.path, 'root'), join(folder.path, 'outside')]
  await mkdir(root)
  await mkdir(outside)
  await writeFile(join(outside, 'file'), 'secret')
  await symlink('../outside/file', join(root, 'link'))
  await symlink('../outside', join(root, 'folder'))
  await symlink('..', join(root, 'up'))
  const store = new DirectoryStore(root)
  for (const key of ['link', 'folder/file', 'up/outside/file'].map(objectKey)) {
    t.is(await store.get(key), undefined)
    t.is(await store.head(key), undefined)
    t.is(await store.getStream(key), undefined)
  }
  for (const prefix of ['', 'folder/', 'up/', 'up/outside/', '../outside/', '/', './', 'folder/../'])
    t.deepEqual(await Array.fromAsync(store.list(prefix)), [], prefix)
  for (const key of ['folder/new', 'folder/below/new', 'up/new'].map(objectKey))
    await t.throwsAsync(store.put(key, Buffer.from('x')), { code: 'invalid' })
  await store.delete(['folder/file', 'up/outside/file', 'link', 'folder', 'up'].map(objectKey))
  t.deepEqual(await readdir(outside), ['file'])
  t.deepEqual((await readdir(folder.path)).sort(), ['outside', 'root'])
  t.deepEqual((await readdir(root)).sort(), ['folder', 'link', 'up'])
})

test('the way to the root may hold symlinks, which may be turned', async (t) => {
  await using folder = await temporaryFolder()
  const [first, second] = [join(folder.path, 'first'), join(folder.path, 'second')]
  await mkdir(first)
  await mkdir(second)
  const root = join(folder.path, 'root')
  await symlink('first', root)
  const store = new DirectoryStore(`${root}/`)
  const key = objectKey('a/key')
  await store.put(key, Buffer.from('in the first'))
  t.is((await store.get(key))?.bytes.toString(), 'in the first')
  await rm(root)
  await symlink('second', root)
  t.is(await store.get(key), undefined)
  await store.put(key, Buffer.from('in the second'))
  t.is((await store.get(key))?.bytes.toString(), 'in the second')
  await store.delete([key])
  t.deepEqual(await readdir(second), [])
  t.deepEqual(await readdir(first), ['a'])
})

test('an object is no folder, and a folder no object', async (t) => {
  await using folder = await temporaryFolder()
  const store = new DirectoryStore(folder.path)
  await store.put(objectKey('a/b'), Buffer.from('x'))
  await t.throwsAsync(store.put(objectKey('a/b/c'), Buffer.from('x')), { code: 'invalid' })
  await t.throwsAsync(store.put(objectKey('a'), Buffer.from('x')), { code: 'invalid' })
  await t.throwsAsync(store.put(objectKey('a'), Buffer.from('x'), { ifNoneMatch: '*' }))
  t.is(await store.get(objectKey('a')), undefined)
  await store.delete([objectKey('a'), objectKey('a/b/c')])
  t.deepEqual(await readdir(folder.path, { recursive: true }), ['a', 'a/b'])
})

test('a pipe in the folder holds nobody up, and is no object', async (t) => {
  await using folder = await temporaryFolder()
  await output('mkfifo', [join(folder.path, 'pipe')])
  const store = new DirectoryStore(folder.path)
  t.is(await store.get(objectKey('pipe')), undefined)
  t.deepEqual(await Array.fromAsync(store.list('')), [])
})

test('names that are not UTF-8 are left out of listings, which is said once', async (t) => {
  await using folder = await temporaryFolder()
  const [odd, root] = [Buffer.from([0xff, 0x61]), Buffer.from(`${folder.path}/`)]
  await mkdir(Buffer.concat([root, odd]))
  await mkdir(join(folder.path, 'a'))
  await writeFile(Buffer.concat([root, Buffer.from('a/'), odd]), 'x')
  await writeFile(join(folder.path, 'a/ä'), 'x')
  const warnings: object[] = []
  const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) }
  const store = new DirectoryStore(folder.path, { logger })
  t.deepEqual((await Array.fromAsync(store.list('', { delimiter: '/' })))[0]?.prefixes, ['a/'])
  const [page] = await Array.fromAsync(store.list(''))
  t.deepEqual(
    page?.objects.map(({ key }) => key),
    [objectKey('a/ä')],
  )
  t.deepEqual(warnings, [{ folder: folder.path, name: 'ÿa' }])
})

test('only the owner may read what is written', async (t) => {
  await using folder = await temporaryFolder()
  await new DirectoryStore(folder.path).put(objectKey('a/b/key'), Buffer.from('x'))
  const modes = await Promise.all(['a', 'a/b', 'a/b/key'].map((path) => stat(join(folder.path, path))))
  t.deepEqual(
    modes.map(({ mode }) => mode & 0o777),
    [0o700, 0o700, 0o600],
  )
})

test('puts go on while deletes take their folders away', async (t) => {
  await using folder = await temporaryFolder()
  const store = new DirectoryStore(folder.path)
  const keys = Array.from({ length: 60 }, (_, i) => objectKey(`deep/folder/${i}`))
  await Promise.all(
    keys.map(async (key, i) => {
      await store.put(key, Buffer.from('x'))
      if (i % 2 === 0) await store.delete([key])
    }),
  )
  t.is((await Array.fromAsync(store.list('')))[0]?.objects.length, 30)
})

test('quick changes of one object each have an etag of their own', async (t) => {
  await using folder = await temporaryFolder()
  const store = new DirectoryStore(folder.path)
  const etags = new Set<string>()
  for (let i = 0; i < 100; i++) etags.add((await store.put(objectKey('key'), Buffer.from('x'))).etag)
  t.is(etags.size, 100)
})

test('a stream that is left early closes its file', async (t) => {
  await using folder = await temporaryFolder()
  const store = new DirectoryStore(folder.path)
  await store.put(objectKey('key'), Buffer.alloc(3 << 20))
  for await (const piece of (await store.getStream(objectKey('key')))?.body ?? []) {
    t.true(piece.length > 0)
    break
  }
  t.deepEqual(await openFiles(folder.path), [])
})

test('a put that fails leaves no temporary file', async (t) => {
  await using folder = await temporaryFolder()
  const store = new DirectoryStore(folder.path)
  await t.throwsAsync(
    store.put(objectKey('key'), { path: '/no/such/file', ranges: [{ offset: 0, length: 1 }] }),
  )
  t.deepEqual(await readdir(folder.path), [])
})

test('a put removes what a writer left behind that died long ago, and nothing else', async (t) => {
  await using folder = await temporaryFolder()
  const yesterday = Date.now() / 1000 - 25 * 3600
  const names = ['.jbfs-tmp-0', '.jbfs-tmp-1', 'old', 'a/.jbfs-tmp-2']
  await mkdir(join(folder.path, 'a'))
  for (const name of names) await writeFile(join(folder.path, name), 'x')
  for (const name of names.filter((each) => each !== '.jbfs-tmp-1'))
    await utimes(join(folder.path, name), yesterday, yesterday)
  await new DirectoryStore(folder.path).put(objectKey('key'), Buffer.from('x'))
  t.deepEqual((await readdir(folder.path)).sort(), ['.jbfs-tmp-1', 'a', 'key', 'old'])
  t.deepEqual(await readdir(join(folder.path, 'a')), ['.jbfs-tmp-2'])
})

import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, open, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { FolderSource } from '../../src/import/folder-source.ts'
import type { SourceEntry } from '../../src/import/source.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'

const { signal } = new AbortController()

async function entriesOf(path: string): Promise<SourceEntry[]> {
  return Array.fromAsync((await FolderSource.open(path)).entries({ signal }))
}

test('a symlink to a folder is a source like the folder', async (t) => {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'home2/user'), { recursive: true })
  await writeFile(join(folder, 'home2/user/file'), 'x')
  await symlink('home2/user', join(folder, 'home'))
  t.deepEqual(
    (await entriesOf(join(folder, 'home'))).map(({ path }) => path.join('/')),
    ['', 'file'],
  )
})

test('what is no folder, or not there, is no source', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'file'), 'x')
  for (const name of ['file', 'none'])
    await t.throwsAsync(FolderSource.open(join(folder, name)), { code: 'bad-source' })
})

const foreign: readonly (readonly [what: string, replace: (path: string) => unknown])[] = [
  ['a FIFO', (path) => execFileSync('mkfifo', [path])],
  ['a symlink to another file', (path) => symlink('/etc/passwd', path)],
  ['another file', (path) => writeFile(path, 'y')],
  ['nothing', () => {}],
]
for (const [what, replace] of foreign)
  for (const isHole of [false, true])
    test(`${what} in the place of a ${isHole ? 'hole' : 'file'} that was found is not read`, async (t) => {
      const folder = await temporaryFolder(t)
      const path = join(folder, 'file')
      await writeFile(path, isHole ? '' : 'x')
      if (isHole) await truncate(path, 1 << 20)
      const [, file] = await entriesOf(folder)
      // Kept, so that no other file gets its number.
      await rename(path, join(folder, 'before'))
      await replace(path)
      t.is(await file?.content?.open(), undefined)
    })

test('a symlink in the place of a folder that was found is not followed', async (t) => {
  const folder = await temporaryFolder(t)
  const source = join(folder, 'source')
  await mkdir(join(source, 'inner'), { recursive: true })
  await writeFile(join(source, 'inner/file'), 'x')
  await mkdir(join(folder, 'foreign'))
  await writeFile(join(folder, 'foreign/file'), 'secret')

  const walk = (await FolderSource.open(source)).entries({ signal })[Symbol.asyncIterator]()
  t.teardown(() => walk.return?.())
  await walk.next()
  const replace = async (): Promise<void> => {
    await rename(join(source, 'inner'), join(source, 'before'))
    await symlink(join(folder, 'foreign'), join(source, 'inner'))
  }
  const inner = await walk.next()
  t.deepEqual(inner.value.path, ['inner'])
  const file = await walk.next()
  await replace()
  t.is(await file.value.content.open(), undefined)
  await t.throwsAsync(file.value.content.again(), { code: 'bad-source' })
  await rm(join(source, 'inner'))
  await rename(join(folder, 'foreign'), join(source, 'inner'))
  await t.throwsAsync(file.value.content.again(), { code: 'source-changed' })
})

test('a folder in the place of a file that was found ends the import', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'file'), 'x')
  const [, file] = await entriesOf(folder)
  await rm(join(folder, 'file'))
  await mkdir(join(folder, 'file'))
  t.is(await file?.content?.open(), undefined)
  await t.throwsAsync(async () => file?.content?.again(), { code: 'source-changed' })
})

test('holes are found, and an open file keeps its path when its name goes', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'file')
  await writeFile(path, Buffer.alloc(4096, 'x'))
  await truncate(path, 1 << 20)
  const [, file] = await entriesOf(folder)
  await using content = await file?.content?.open()
  t.deepEqual(content?.ranges, [{ offset: 0, length: 4096 }])
  t.is(await content?.read(Buffer.alloc(10), 4090), 10)
  t.true(await content?.isUnchanged())
  await rm(path)
  t.false(await content?.isUnchanged())
})

test('a file that is larger than the format can say is refused', async (t) => {
  // Of the usual file systems only one in memory holds such a file.
  const folder = await mkdtemp('/dev/shm/jbfs-test-')
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  execFileSync('truncate', ['--size', '9007199254740992', join(folder, 'file')])
  await t.throwsAsync(entriesOf(folder), {
    code: 'bad-source',
    message: /file cannot be read: it has 9007199254740992 bytes/,
  })
})

/** Makes folders in one another, so many bytes deep that no path leads to the last; resolves with the last one's names from `folder` down. */
async function makeDeep(folder: string, t: ExecutionContext): Promise<string[]> {
  const names: string[] = []
  let handle = await open(folder)
  for (let length = 0; length < 3 * 4096; length += 201) {
    const name = `${names.length}`.padEnd(200, 'x')
    await mkdir(`/proc/self/fd/${handle.fd}/${name}`)
    const next = await open(`/proc/self/fd/${handle.fd}/${name}`)
    await handle.close()
    handle = next
    names.push(name)
  }
  await writeFile(`/proc/self/fd/${handle.fd}/file`, 'deep')
  await handle.close()
  // rm of Node takes whole paths.
  t.teardown(() => execFileSync('rm', ['-r', join(folder, names[0] as string)]))
  return names
}

test('a tree that is deeper than a path can tell is walked, and its files are read', async (t) => {
  const folder = await temporaryFolder(t)
  const names = await makeDeep(folder, t)
  const entries = await entriesOf(folder)
  t.is(entries.length, names.length + 2)
  const last = entries.at(-1)
  t.deepEqual(last?.path, [...names, 'file'])
  await using content = await last?.content?.open()
  const bytes = Buffer.alloc(4)
  await content?.read(bytes, 0)
  t.is(String(bytes), 'deep')
  t.is((await last?.content?.again())?.inode.size, 4)
})

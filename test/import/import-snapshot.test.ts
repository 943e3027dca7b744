import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type Logger, silentLogger } from '../../src/base/log.ts'
import { ArchiveSource } from '../../src/import/archive-source.ts'
import { FolderSource } from '../../src/import/folder-source.ts'
import { type ImportOptions, importSnapshot } from '../../src/import/import-snapshot.ts'
import type { ImportSource, SourceEntry } from '../../src/import/source.ts'
import { type CatalogEntry, listSnapshots } from '../../src/snapshot/catalog.ts'
import { openSnapshotIndex } from '../../src/snapshot/index-file.ts'
import { publishSnapshot } from '../../src/snapshot/publish.ts'
import type { Extent, Ino, Inode } from '../../src/snapshot/tree.ts'
import { emptyStore, manifest, repository, totals } from '../snapshot/publish-sample.ts'
import {
  fileInode,
  folderInode,
  nameOf,
  objectOf,
  temporaryFolder,
  writeTree,
} from '../snapshot/write-tree.ts'

async function optionsIn(folder: string): Promise<Omit<ImportOptions, 'openSource'>> {
  return {
    store: await emptyStore(folder),
    repository,
    cacheDir: join(folder, 'cache'),
    logger: silentLogger,
    writer: 'jbfs test',
  }
}

test('a repository of very many objects has none sent again', async (t) => {
  const folder = await temporaryFolder(t)
  const options = await optionsIn(folder)
  const indexPath = join(folder, 'index')
  const kept = { ...objectOf(0, 4), sha256: createHash('sha256').update('kept').digest() }
  writeTree(indexPath, (working) => {
    for (let n = 0; n < 150_000; n++) {
      const object = n === 0 ? kept : objectOf(n, 1)
      working.addObject(object)
      working.addDentry(
        1,
        nameOf(`${n}`),
        working.addInode(fileInode({ size: object.size, object: object.id })),
      )
    }
  })
  await publishSnapshot({ store: options.store, repository, number: 1, indexPath, manifest, totals })
  const source = join(folder, 'source')
  await mkdir(source)
  await writeFile(join(source, 'file'), 'kept')
  const warnings: string[] = []
  const logger: Logger = { ...silentLogger, warn: (_, message) => warnings.push(message) }
  const result = await importSnapshot({ ...options, logger, openSource: () => FolderSource.open(source) })
  t.like(result, { number: 2, uploadedFiles: 0, reusedFiles: 1 })
  t.deepEqual(warnings, [])
})

test('what is called before the publish can still forbid it', async (t) => {
  const folder = await temporaryFolder(t)
  const options = await optionsIn(folder)
  const source = join(folder, 'source')
  await mkdir(source)
  await writeFile(join(source, 'file'), 'content')
  const manifests = async (): Promise<CatalogEntry[]> => await listSnapshots(options.store, repository)
  const beforePublish = async (): Promise<void> => {
    t.deepEqual(await manifests(), [])
    throw new Error('no more')
  }
  const importing = importSnapshot({ ...options, beforePublish, openSource: () => FolderSource.open(source) })
  await t.throwsAsync(importing, { message: 'no more' })
  t.deepEqual(await manifests(), [])
})

/** A source with one file, which has changed whenever it is opened, but for the `calmAfter`-th time. */
function restless(calmAfter: number): ImportSource {
  let opened = 0
  const bytes = Buffer.from('bytes')
  const file: SourceEntry = {
    path: [nameOf('file')],
    inode: fileInode({ size: bytes.length }),
    content: {
      again: async () => file,
      open: async () =>
        ++opened < calmAfter
          ? undefined
          : {
              path: '',
              ranges: [{ offset: 0, length: bytes.length }],
              read: async (into, offset) => bytes.copy(into, 0, offset),
              isUnchanged: async () => true,
              [Symbol.asyncDispose]: async () => {},
            },
    },
  }
  return {
    description: 'restless',
    async *entries() {
      yield { path: [], inode: folderInode() }
      yield file
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

test('a file that changes while it is read is read three times', async (t) => {
  const options = await optionsIn(await temporaryFolder(t))
  const result = await importSnapshot({ ...options, openSource: async () => restless(3) })
  t.like(result, { files: 1, uploadedFiles: 1 })
  await t.throwsAsync(importSnapshot({ ...options, openSource: async () => restless(4) }), {
    code: 'source-changed',
  })
})

test('a file that had holes before an ordinary tar has them again', async (t) => {
  const folder = await temporaryFolder(t)
  const options = await optionsIn(folder)
  const source = join(folder, 'source')
  await mkdir(source)
  await writeFile(join(source, 'image'), Buffer.alloc(1 << 20, 'x'))
  await truncate(join(source, 'image'), 50 << 20)
  await writeFile(join(source, 'hole'), '')
  await truncate(join(source, 'hole'), 5 << 20)
  const archive = join(folder, 'archive.tar')
  execFileSync('tar', ['-cf', archive, '-C', source, '.'])
  const { logger } = options
  const result = await importSnapshot({
    ...options,
    openSource: ({ signal }) => ArchiveSource.open(archive, { logger, signal }),
  })
  t.like(result, { files: 2, bytes: 55 << 20, uploadedFiles: 1, uploadedBytes: 1 << 20 })
  const signal = new AbortController().signal
  const [entry] = await listSnapshots(options.store, repository, { signal })
  using tree = await openSnapshotIndex({ ...options, entry: entry as CatalogEntry, signal })
  const extentsOf = (name: string): Extent[] => {
    const inode = tree.lookup(1 as Ino, nameOf(name))
    t.true(inode?.sparse)
    return [...tree.extents((inode as Inode).ino, 0)]
  }
  t.deepEqual(extentsOf('image'), [{ offset: 0, length: 1 << 20, objectOffset: 0 }])
  t.deepEqual(extentsOf('hole'), [])
})

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { CatalogEntry } from '../../src/snapshot/catalog.ts'
import type { JbfsMember, Manifest } from '../../src/snapshot/manifest.ts'
import { publishSnapshot } from '../../src/snapshot/publish.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import type { ObjectStore } from '../../src/store/object-store.ts'
import { epoch, fileInode, nameOf, writeTree } from './write-tree.ts'

export const repository = 'job/account/'

export const manifest: Omit<Manifest, 'bytes' | 'jbfs'> = {
  created: 1_700_000_000,
  suspended: false,
  account: 'account',
  items: [{ type: 'homedir', path: 'homedir', files: 1, size: 0 }],
}

export const totals: Omit<JbfsMember, 'format' | 'index'> = {
  writer: 'jbfs test',
  files: 1,
  folders: 1,
  bytes: 0,
  root: { mode: 0o40755, nlink: 2, uid: 0, gid: 0, mtime: epoch, ctime: epoch, xattrs: 0 },
}

/** A store in `folder`/store. */
export async function emptyStore(folder: string): Promise<DirectoryStore> {
  await mkdir(join(folder, 'store'))
  return new DirectoryStore(join(folder, 'store'))
}

let written = 0

/** Publishes a snapshot whose only file is called `fileName`; `over`: as a new state of that one. */
export async function publishSample(
  store: ObjectStore,
  folder: string,
  number: number,
  {
    fileName = 'file',
    created = manifest.created,
    over,
  }: { fileName?: string; created?: number; over?: CatalogEntry | undefined } = {},
): Promise<CatalogEntry> {
  const indexPath = join(folder, `index-${written++}`)
  writeTree(indexPath, (working) => working.addDentry(1, nameOf(fileName), working.addInode(fileInode())))
  return publishSnapshot({
    store,
    repository,
    number,
    indexPath,
    manifest: { ...manifest, created },
    totals,
    replaces: over?.manifestEtag,
    replacesIndex: over?.manifest?.jbfs?.index.key,
  })
}

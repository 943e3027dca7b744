import { rm } from 'node:fs/promises'
import { silentLogger } from '../../../src/base/log.ts'
import { readSnapshot } from '../../../src/snapshot/catalog.ts'
import { openSnapshotIndex } from '../../../src/snapshot/index-file.ts'
import type { Ino, Inode, Tree } from '../../../src/snapshot/tree.ts'
import type { ObjectReader } from '../../../src/store/object-store.ts'
import { emptyState, type State, type Target } from './model.ts'

/** What is published of a snapshot, read from the store by somebody who has nothing of it yet. Rejects when it is not whole. */
export async function publishedState(
  store: ObjectReader,
  { repository, number, cacheDir }: { repository: string; number: number; cacheDir: string },
): Promise<State> {
  const entry = await readSnapshot(store, repository, number)
  if (entry === undefined) return emptyState
  try {
    using tree = await openSnapshotIndex({ store, repository, entry, cacheDir, logger: silentLogger })
    const paths = new Map<string, Target>()
    const inodes = new Map<Ino, Inode>()
    visit(tree, tree.root, '', paths, inodes)
    const files = new Map<number, Buffer>()
    for (const [ino, inode] of inodes) files.set(ino, await contentOf(store, tree, inode))
    return { paths, files }
  } finally {
    await rm(cacheDir, { recursive: true, force: true })
  }
}

function visit(
  tree: Tree,
  folder: Ino,
  above: string,
  paths: Map<string, Target>,
  files: Map<Ino, Inode>,
): void {
  for (const { name, inode } of tree.entries(folder, 0)) {
    const path = above + name
    const isFolder = (inode.mode & 0o170000) === 0o040000
    paths.set(path, isFolder ? 'folder' : inode.ino)
    if (isFolder) visit(tree, inode.ino, `${path}/`, paths, files)
    else files.set(inode.ino, inode)
  }
}

async function contentOf(
  store: ObjectReader,
  tree: Tree,
  { ino, object, size, sparse }: Inode,
): Promise<Buffer> {
  const content = Buffer.alloc(size)
  if (object === undefined) return content
  const found = await store.get(object.key)
  if (found?.bytes.length !== object.size)
    throw new Error(`${object.key} has ${found?.bytes.length} bytes, and its index says ${object.size}`)
  const extents = sparse ? tree.extents(ino, 0) : [{ offset: 0, length: size, objectOffset: 0 }]
  for (const { offset, length, objectOffset } of extents)
    found.bytes.copy(content, offset, objectOffset, objectOffset + length)
  return content
}

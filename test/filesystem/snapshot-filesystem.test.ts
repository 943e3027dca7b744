import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { SnapshotFilesystem } from '../../src/filesystem/snapshot-filesystem.ts'
import { IndexTree } from '../../src/snapshot/index-tree.ts'
import {
  fileInode,
  folderInode,
  nameOf,
  objectOf,
  temporaryFolder,
  writeTree,
} from '../snapshot/write-tree.ts'
import {
  context,
  entryAt,
  type MemoryDestination,
  manifestText,
  memoryDestination,
  namesIn,
} from './memory-destination.ts'

const object = objectOf(1, 5)

/** A repository with one snapshot: two files and a folder. */
async function oneSnapshot(t: ExecutionContext): Promise<MemoryDestination & { snapshot: number }> {
  const path = join(await temporaryFolder(t), 'index')
  writeTree(path, (working) => {
    working.addObject(object)
    const folder = working.addInode(folderInode())
    working.addDentry(1, nameOf('folder'), folder)
    working.addDentry(1, nameOf('a'), working.addInode(fileInode({ size: 5, object: object.id })))
    working.addDentry(folder, nameOf('b'), working.addInode(fileInode()))
  })
  const destination = memoryDestination(
    { 'account/snap.1/jetbackup.index': manifestText(7), 'account/note': 'text' },
    { openTree: async () => IndexTree.open(path, 'account/') },
  )
  t.teardown(() => destination.tree.close())
  const entry = await entryAt(destination.filesystem, 'account/snap.1')
  return { ...destination, snapshot: entry?.attr.ino as number }
}

const text = async (
  filesystem: SnapshotFilesystem,
  nodeid: number,
  name: string,
): Promise<string | undefined> => (await filesystem.getxattr(nodeid, name, context))?.toString()

test('a snapshot lists its manifest and its entries, bit by bit as at once', async (t) => {
  const { filesystem, snapshot } = await oneSnapshot(t)
  const expected = ['.', '..', 'jetbackup.index', 'a', 'folder']
  for (const room of [1, 2, 99]) t.deepEqual(await namesIn(filesystem, snapshot, { room }), expected)
})

test('a snapshot stays open until the last lookup of it is taken back', async (t) => {
  const { reader, tree, filesystem, snapshot } = await oneSnapshot(t)
  const file = (await filesystem.lookup(snapshot, 'a', context))?.attr.ino as number
  reader.objects.delete('account/snap.1/jetbackup.index')
  await tree.refresh({ all: true })
  t.is((await filesystem.getattr(file, context)).attr.size, 5)
  filesystem.forget(snapshot, 1)
  t.is((await filesystem.getattr(file, context)).attr.size, 5)
  filesystem.forget(file, 1)
  t.throws(() => filesystem.getattr(file, context), { code: 'ESTALE' })
})

test('what belongs to no snapshot, and manifests, only who mounts may read', async (t) => {
  const { filesystem } = await oneSnapshot(t)
  for (const path of ['account/note', 'account/snap.1/jetbackup.index']) {
    const entry = await entryAt(filesystem, path)
    t.like(entry?.attr, { mode: 0o100400, uid: 5, gid: 6 }, path)
  }
  t.is((await entryAt(filesystem, 'account'))?.attr.mode, 0o40555)
})

test('user.jbfs attributes of files and snapshots, and none that an object of JavaScript happens to have', async (t) => {
  const { filesystem, snapshot } = await oneSnapshot(t)
  const file = (await filesystem.lookup(snapshot, 'a', context))?.attr.ino as number
  t.is(await text(filesystem, file, 'user.jbfs.object'), object.id)
  t.is(await text(filesystem, file, 'user.jbfs.sha256'), object.sha256.toString('hex'))
  t.is(await text(filesystem, snapshot, 'user.jbfs.created'), '1970-01-01T00:00:07.000Z')
  for (const nodeid of [file, snapshot])
    for (const name of ['toString', 'constructor', '__proto__', 'user.absent'])
      t.is(await text(filesystem, nodeid, name), undefined, name)
})

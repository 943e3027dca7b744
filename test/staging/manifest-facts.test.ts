import { join } from 'node:path'
import test from 'ava'
import { itemsOf, rootAttributesOf } from '../../src/staging/manifest-facts.ts'
import {
  fileInode,
  folderInode,
  nameOf,
  objectOf,
  symlinkInode,
  temporaryFolder,
  writeTree,
} from '../snapshot/write-tree.ts'
import { staging } from './working.ts'

test('each top-level folder is counted with all below it, and nothing beside it', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  writeTree(path, (working) => {
    const object = objectOf(1, 5)
    working.addObject(object)
    const file = (): number => working.addInode(fileInode({ size: 5, object: object.id }))
    const folder = (parent: number, name: string): number => {
      const ino = working.addInode(folderInode())
      working.addDentry(parent, nameOf(name), ino)
      return ino
    }
    working.addDentry(1, nameOf('beside'), file())
    const [home, mail, empty] = ['homedir', 'mail', 'zz'].map((name) => folder(1, name)) as [
      number,
      number,
      number,
    ]
    const below = folder(home, 'below')
    working.addDentry(home, nameOf('a'), file())
    working.addDentry(below, nameOf('b'), file())
    working.addDentry(below, nameOf('link'), working.addInode(symlinkInode('elsewhere')))
    const shared = file()
    working.addDentry(mail, nameOf('c'), shared)
    working.addDentry(mail, nameOf('d'), shared)
    t.true(empty > 0)
  })
  t.deepEqual(itemsOf(path, [{ type: 'full', path: 'mail', files: 9, size: 9 }]), [
    { type: 'homedir', path: 'homedir', files: 3, size: 10 },
    { type: 'full', path: 'mail', files: 1, size: 5 },
    { type: 'zz', path: 'zz', files: 0, size: 0 },
  ])
})

test('of the top folder the manifest says what stat(2) does', async (t) => {
  const { tree } = (await staging(t)).begin()
  const root = tree.inode(tree.root)
  if (root === undefined) return t.fail()
  const { mtime, ctime } = root
  t.deepEqual(rootAttributesOf(root, 2), { mode: 0o40755, nlink: 2, uid: 3, gid: 4, mtime, ctime, xattrs: 2 })
})

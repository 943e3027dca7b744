import { join } from 'node:path'
import test from 'ava'
import { IndexTree } from '../../src/snapshot/index-tree.ts'
import type { FileName, Ino, Tree } from '../../src/snapshot/tree.ts'
import { type ValidatedTotals, validateIndex } from '../../src/snapshot/validate.ts'
import { WorkingIndex } from '../../src/snapshot/working-index.ts'
import {
  fileInode,
  folderInode,
  nameOf,
  objectOf,
  symlinkInode,
  temporaryFolder,
  writeTree,
} from './write-tree.ts'

const root = 1 as Ino

function open(path: string): IndexTree {
  const validated = validateIndex(path)
  if (typeof validated === 'string') throw new Error(validated)
  return IndexTree.open(path, 'account/')
}

/** [name, ino] of a folder in the order of its entries. */
function listing(tree: Tree, folder: Ino, from = 0): [string, number][] {
  return [...tree.entries(folder, from)].map(({ name, inode }) => [name, inode.ino])
}

test('everything an inode has survives', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  const object = objectOf(0x6258c0a3, 5)
  const totals = writeTree(
    path,
    (working) => {
      working.addObject(object)
      const inode = {
        mode: 0o104751,
        uid: 4294967295,
        gid: 65534,
        rdev: 0,
        size: 5,
        mtime: { seconds: -1, nanoseconds: 999_999_999 },
        ctime: { seconds: 2 ** 40, nanoseconds: 1 },
        object: object.id,
        xattrs: [
          { name: Buffer.from('user.b'), value: Buffer.from([0, 255]) },
          { name: Buffer.from('user.a'), value: Buffer.alloc(0) },
          { name: Buffer.from([0x75, 0x2e, 0xff]), value: Buffer.alloc(65_536, 7) },
        ],
      }
      working.addDentry(root, nameOf('file'), working.addInode(inode))
    },
    folderInode({ mode: 0o41777, mtime: { seconds: 1, nanoseconds: 2 } }),
  )
  t.deepEqual({ ...totals }, { files: 1, folders: 1, bytes: 5 })
  using tree = open(path)
  t.is(tree.inode(root)?.mode, 0o41777)
  t.deepEqual(tree.inode(root)?.mtime, { seconds: 1, nanoseconds: 2 })
  t.deepEqual(tree.lookup(root, nameOf('file')), {
    ino: 2 as Ino,
    mode: 0o104751,
    nlink: 1,
    uid: 4294967295,
    gid: 65534,
    rdev: 0,
    size: 5,
    mtime: { seconds: -1, nanoseconds: 999_999_999 },
    ctime: { seconds: 2 ** 40, nanoseconds: 1 },
    atime: undefined,
    object: { ...object, key: `account/files/${object.id}` as never },
    target: undefined,
    sparse: false,
  })
  const ino = 2 as Ino
  t.deepEqual(tree.xattrNames(ino), ['u.\xff', 'user.a', 'user.b'])
  t.deepEqual(tree.xattr(ino, 'user.b'), Buffer.from([0, 255]))
  t.deepEqual(tree.xattr(ino, 'user.a'), Buffer.alloc(0))
  t.is(tree.xattr(ino, 'u.\xff')?.length, 65_536)
  t.is(tree.xattr(ino, 'user.c'), undefined)
  t.deepEqual(tree.xattrNames(root), [])
})

test('device nodes, FIFOs, sockets and symlinks keep what they are', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  writeTree(path, (working) => {
    const add = (name: string, mode: number, rdev = 0): void =>
      working.addDentry(root, nameOf(name), working.addInode(fileInode({ mode, rdev })))
    add('block', 0o060660, 0x0801)
    add('char', 0o020666, 0xfff_ffff)
    add('fifo', 0o010644)
    add('socket', 0o140755)
    working.addDentry(root, nameOf('symlink'), working.addInode(symlinkInode('../\xff\xfe dangling')))
  })
  using tree = open(path)
  t.deepEqual(
    [...tree.entries(root, 0)].map(({ inode }) => [inode.mode, inode.rdev, inode.target]),
    [
      [0o060660, 0x0801, undefined],
      [0o020666, 0xfff_ffff, undefined],
      [0o010644, 0, undefined],
      [0o140755, 0, undefined],
      [0o120777, 0, '../\xff\xfe dangling'],
    ],
  )
})

test('any byte but a slash and NUL may be in a name, 255 of them at most, and each finds its inode', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  const names = [
    ...Array.from({ length: 255 }, (_, i) => String.fromCharCode(i + 1)).filter(
      (name) => name !== '/' && name !== '.',
    ),
    '\xff'.repeat(255),
    'a'.repeat(255),
    '...',
    ' \n ',
    'caf\xc3\xa9',
    'cafe\xcc\x81',
  ]
  writeTree(path, (working) => {
    for (const name of names.toReversed())
      working.addDentry(root, nameOf(name), working.addInode(fileInode()))
  })
  using tree = open(path)
  const byBytes = [...names].sort((a, b) => Buffer.from(a, 'latin1').compare(Buffer.from(b, 'latin1')))
  t.deepEqual(
    listing(tree, root),
    byBytes.map((name, i) => [name, i + 2]),
  )
  for (const [i, name] of byBytes.entries()) t.is(tree.lookup(root, nameOf(name))?.ino, (i + 2) as Ino)
  t.is(tree.lookup(root, nameOf('A'.repeat(255))), undefined)
  t.is(tree.lookup(root, nameOf('')), undefined)
})

test('inodes are numbered in reading order: the files of a folder, then each sub-folder with all below it', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  writeTree(path, (working) => {
    const folder = (parent: number, name: string): number => {
      const ino = working.addInode(folderInode())
      working.addDentry(parent, nameOf(name), ino)
      return ino
    }
    const file = (parent: number, name: string): void =>
      working.addDentry(parent, nameOf(name), working.addInode(fileInode()))
    const z = folder(root, 'z')
    const a = folder(root, 'a')
    file(root, 'y')
    file(z, 'inner')
    const deep = folder(a, 'deep')
    file(a, 'last')
    file(deep, 'x')
    file(root, 'B')
    folder(root, 'empty')
  })
  using tree = open(path)
  t.deepEqual(listing(tree, root), [
    ['B', 2],
    ['y', 3],
    ['a', 4],
    ['empty', 8],
    ['z', 9],
  ])
  t.deepEqual(listing(tree, 4 as Ino), [
    ['last', 5],
    ['deep', 6],
  ])
  t.deepEqual(listing(tree, 6 as Ino), [['x', 7]])
  t.deepEqual(listing(tree, 8 as Ino), [])
  t.deepEqual(listing(tree, 9 as Ino), [['inner', 10]])
  t.is(tree.parentOf(6 as Ino), 4 as Ino)
  t.is(tree.parentOf(9 as Ino), root)
  t.is(tree.parentOf(root), root)
  t.deepEqual(
    [1, 4, 6, 8].map((ino) => tree.inode(ino as Ino)?.nlink),
    [5, 3, 2, 2],
  )
})

test('a hard-linked inode has the number of its first name in reading order', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  const totals = writeTree(path, (working) => {
    const sub = working.addInode(folderInode())
    working.addDentry(root, nameOf('sub'), sub)
    const shared = working.addInode(fileInode({ mode: 0o100600 }))
    working.addDentry(sub, nameOf('second'), shared)
    working.addDentry(sub, nameOf('other'), working.addInode(fileInode()))
    working.addDentry(root, nameOf('first'), shared)
    working.addDentry(sub, nameOf('third'), shared)
  })
  t.deepEqual({ ...totals }, { files: 2, folders: 2, bytes: 0 })
  using tree = open(path)
  t.deepEqual(listing(tree, root), [
    ['first', 2],
    ['sub', 3],
  ])
  t.deepEqual(listing(tree, 3 as Ino), [
    ['other', 4],
    ['second', 2],
    ['third', 2],
  ])
  t.is(tree.inode(2 as Ino)?.nlink, 3)
})

test('a file with holes keeps where its bytes lie', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  const extents = [
    { offset: 4096, length: 10, objectOffset: 0 },
    { offset: 2 ** 42, length: 4096, objectOffset: 10 },
  ]
  writeTree(path, (working) => {
    const object = objectOf(1, 4106)
    working.addObject(object)
    const size = 2 ** 42 + 8192
    working.addDentry(
      root,
      nameOf('sparse'),
      working.addInode(fileInode({ size, object: object.id, extents })),
    )
    working.addDentry(root, nameOf('hole'), working.addInode(fileInode({ size, extents: [] })))
  })
  using tree = open(path)
  const hole = tree.lookup(root, nameOf('hole'))
  const sparse = tree.lookup(root, nameOf('sparse'))
  t.like(hole, { sparse: true, object: undefined, size: 2 ** 42 + 8192 })
  t.deepEqual([...tree.extents(hole?.ino as Ino, 0)], [])
  t.like(sparse, { sparse: true })
  const ino = sparse?.ino as Ino
  for (const offset of [0, 4096, 4105]) t.deepEqual([...tree.extents(ino, offset)], extents)
  for (const offset of [4106, 2 ** 42 + 4095]) t.deepEqual([...tree.extents(ino, offset)], extents.slice(1))
  t.deepEqual([...tree.extents(ino, 2 ** 42 + 4096)], [])
})

test('extents come from any place on, however many there are', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  const extents = Array.from({ length: 1000 }, (_, i) => ({ offset: 3 * i, length: 2, objectOffset: 2 * i }))
  writeTree(path, (working) => {
    const object = objectOf(1, 2000)
    working.addObject(object)
    const inode = fileInode({ size: 4000, object: object.id, extents })
    working.addDentry(root, nameOf('sparse'), working.addInode(inode))
  })
  using tree = open(path)
  for (const offset of [0, 1, 2, 3, 768, 769, 770, 2998, 2999, 4000])
    t.deepEqual(
      [...tree.extents(2 as Ino, offset)],
      extents.filter((extent) => extent.offset + extent.length > offset),
    )
})

test('the files that will be read next are those behind in reading order that have bytes', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  writeTree(path, (working) => {
    const sub = working.addInode(folderInode())
    working.addDentry(root, nameOf('sub'), sub)
    for (let i = 0; i < 6; i++) {
      const object = objectOf(i + 1, 1)
      working.addObject(object)
      const inode = i % 3 === 1 ? fileInode() : fileInode({ size: 1, object: object.id })
      working.addDentry(i < 3 ? root : sub, nameOf(`f${i}`), working.addInode(inode))
    }
  })
  using tree = open(path)
  const after = (ino: number, count: number): number[] =>
    tree.filesAfter(ino as Ino, count).map((inode) => inode.ino)
  t.deepEqual(after(1, 10), [2, 4, 6, 8])
  t.deepEqual(after(2, 2), [4, 6])
  t.deepEqual(after(8, 2), [])
  t.deepEqual([...tree.objects()].length, 4, 'objects that nothing refers to are left out')
})

test('a folder is listed from any position, and a listing may be left and others begun', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  const count = 1000
  writeTree(path, (working) => {
    for (let i = 0; i < count; i++)
      working.addDentry(root, nameOf(`${i}`.padStart(4, '0')), working.addInode(fileInode()))
  })
  using tree = open(path)
  for (const from of [0, 1, 255, 256, 257, 511, 512, 999, 1000, 5000]) {
    const entries = [...tree.entries(root, from)]
    t.is(entries.length, Math.max(0, count - from))
    t.is(entries[0]?.position, from < count ? from : undefined)
  }
  let listed = 0
  for (const { name } of tree.entries(root, 0)) {
    for (const other of tree.entries(root, 300)) {
      t.is(other.name, '0300' as FileName)
      break
    }
    t.is(tree.lookup(root, name)?.ino, (listed + 2) as Ino)
    listed++
  }
  t.is(listed, count)
})

test('an empty snapshot is a tree as well', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  t.deepEqual({ ...writeTree(path, () => {}) }, { files: 0, folders: 1, bytes: 0 })
  t.deepEqual(validateIndex(path) as ValidatedTotals, { inodes: 1, bytes: 0 })
  using tree = open(path)
  t.deepEqual(listing(tree, root), [])
  t.is(tree.inode(root)?.nlink, 2)
  t.is(tree.inode(2 as Ino), undefined)
})

test('a working index refuses a second entry of the same name', (t) => {
  using working = new WorkingIndex(':memory:')
  working.addInode(folderInode())
  working.addDentry(root, nameOf('twice'), working.addInode(fileInode()))
  t.throws(() => working.addDentry(root, nameOf('twice'), working.addInode(fileInode())))
})

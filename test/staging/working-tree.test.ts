import test, { type ExecutionContext } from 'ava'
import type { Ino, Inode, Timestamp } from '../../src/snapshot/tree.ts'
import type { WorkingTree } from '../../src/staging/working-tree.ts'
import { addFile, addFolder, name, names, owner, staging } from './working.ts'

async function emptyTree(t: ExecutionContext): Promise<WorkingTree> {
  return (await staging(t)).begin().tree
}

const old: Timestamp = { seconds: 5, nanoseconds: 7 }

/** Makes the times old, so that what touches them shows. */
function age(tree: WorkingTree, ...inos: Ino[]): void {
  const set = 'UPDATE inode SET mtime = 5, mtime_ns = 7, ctime = 5, ctime_ns = 7 WHERE ino = ?'
  for (const ino of inos) tree.database.prepare(set).run(ino)
}

/** Which times of it are not old any more. */
function touched(tree: WorkingTree, ino: Ino): string {
  const { mtime, ctime } = tree.inode(ino) as Inode
  const isNew = (time: Timestamp): boolean => time.seconds !== old.seconds
  return [isNew(mtime) ? 'm' : '', isNew(ctime) ? 'c' : ''].join('')
}

const links = (tree: WorkingTree, ino: Ino): number => (tree.inode(ino) as Inode).nlink

test('a new inode has what it was given, and its folder new times', async (t) => {
  const tree = await emptyTree(t)
  age(tree, tree.root)
  const made = tree.make(tree.root, name('f'), { mode: 0o104751, uid: 7, gid: 8 })
  t.like(made, {
    mode: 0o104751,
    uid: 7,
    gid: 8,
    nlink: 1,
    size: 0,
    rdev: 0,
    object: undefined,
    sparse: false,
  })
  t.deepEqual(made.mtime, made.ctime)
  t.is(touched(tree, tree.root), 'mc')
  t.is(links(tree, tree.root), 2)
  t.deepEqual(tree.lookup(tree.root, name('f')), made)
  const device = tree.make(tree.root, name('d'), { mode: 0o20600, ...owner, rdev: 0x1234 })
  t.is(device.rdev, 0x1234)
  const link = tree.make(tree.root, name('s'), { mode: 0o120777, ...owner, target: 'wh\xe9re' })
  t.like(link, { target: 'wh\xe9re', size: 5 })
  t.deepEqual(names(tree), ['f', 'd', 's'])
})

test('a folder counts its sub-folders and knows its parent', async (t) => {
  const tree = await emptyTree(t)
  const outer = addFolder(tree, 'outer')
  const inner = addFolder(tree, 'inner', outer)
  t.is(links(tree, tree.root), 3)
  t.is(links(tree, outer), 3)
  t.is(links(tree, inner), 2)
  t.is(tree.parentOf(inner), outer)
  t.is(tree.parentOf(outer), tree.root)
  t.is((tree.inode(outer) as Inode).size, 4096)
})

test('in a setgid folder all have its group, and folders the bit', async (t) => {
  const tree = await emptyTree(t)
  const shared = addFolder(tree, 'shared', tree.root, 0o2775)
  tree.setAttributes(shared, { gid: 99 })
  t.like(tree.inode(addFile(tree, 'f', shared)), { gid: 99, mode: 0o100644 })
  t.like(tree.inode(addFolder(tree, 'd', shared)), { gid: 99, mode: 0o42755 })
})

test('what is made without a name is nowhere until it is linked', async (t) => {
  const tree = await emptyTree(t)
  age(tree, tree.root)
  const { ino, nlink } = tree.make(tree.root, undefined, { mode: 0o100600, ...owner })
  t.is(nlink, 0)
  t.is(touched(tree, tree.root), '')
  t.deepEqual(names(tree), [])
  t.is(tree.link(ino, tree.root, name('f')).nlink, 1)
  t.deepEqual(names(tree), ['f'])
})

test('what has no name goes when nobody can come to it any more', async (t) => {
  const tree = await emptyTree(t)
  const [file, linked, folder] = [addFile(tree, 'f'), addFile(tree, 'l'), addFolder(tree, 'd')]
  const replaced = addFile(tree, 'r')
  const unnamed = tree.make(tree.root, undefined, { mode: 0o100600, ...owner }).ino
  tree.setXattr(file, 'user.a', Buffer.from('1'), 'any')
  tree.link(linked, tree.root, name('m'))
  for (const text of ['f', 'l']) tree.unlink(tree.root, name(text))
  tree.removeFolder(tree.root, name('d'))
  tree.rename({ parent: tree.root, name: name('m') }, { parent: tree.root, name: name('r') }, 'replace')
  const gone = [file, folder, replaced, unnamed]
  for (const ino of gone) t.is(tree.inode(ino)?.nlink, 0, 'somebody may still be there')
  const { changes } = tree
  for (const ino of [linked, tree.root]) t.false(tree.isNameless(ino))
  for (const ino of gone) {
    t.true(tree.isNameless(ino))
    tree.remove(ino)
  }
  for (const ino of gone) t.is(tree.inode(ino), undefined)
  t.deepEqual(tree.xattrNames(file), [])
  t.is(links(tree, linked), 1)
  t.is(tree.changes, changes, 'there is nothing to publish')
})

test('what was to lose its name, and did not, has it', async (t) => {
  const tree = await emptyTree(t)
  const file = addFile(tree, 'f')
  tree.database.exec(
    "CREATE TEMP TRIGGER refuse BEFORE UPDATE OF changes ON working BEGIN SELECT RAISE(ABORT, 'refused'); END",
  )
  t.throws(() => tree.unlink(tree.root, name('f')), { message: /refused/ })
  t.false(tree.isNameless(file))
})

test('names are taken, are files or folders, or are not there', async (t) => {
  const tree = await emptyTree(t)
  const file = addFile(tree, 'f')
  const folder = addFolder(tree, 'd')
  addFile(tree, 'inside', folder)
  const throws = (code: string, change: () => unknown): void => {
    const before = tree.changes
    t.throws(change, { name: 'ChangeError', code })
    t.is(tree.changes, before)
  }
  const make = { mode: 0o100644, ...owner }
  throws('name-taken', () => tree.make(tree.root, name('f'), make))
  throws('no-folder', () => tree.make(file, name('x'), make))
  throws('no-name', () => tree.make(999 as Ino, name('x'), make))
  throws('name-taken', () => tree.link(file, tree.root, name('d')))
  throws('not-permitted', () => tree.link(folder, tree.root, name('x')))
  throws('no-name', () => tree.unlink(tree.root, name('x')))
  throws('is-folder', () => tree.unlink(tree.root, name('d')))
  throws('no-name', () => tree.removeFolder(tree.root, name('x')))
  throws('no-folder', () => tree.removeFolder(tree.root, name('f')))
  throws('not-empty', () => tree.removeFolder(tree.root, name('d')))
  throws('no-name', () => tree.setAttributes(999 as Ino, { mode: 0 }))
  t.deepEqual(names(tree), ['f', 'd'])
})

test('links are counted, and the last one to go leaves the inode to who has it open', async (t) => {
  const tree = await emptyTree(t)
  const file = addFile(tree, 'a')
  const folder = addFolder(tree, 'd')
  age(tree, file, folder, tree.root)
  t.is(tree.link(file, folder, name('b')).nlink, 2)
  t.is(touched(tree, file), 'c')
  t.is(touched(tree, folder), 'mc')
  t.is(touched(tree, tree.root), '')
  age(tree, file)
  t.is(tree.unlink(tree.root, name('a')).nlink, 1)
  t.is(touched(tree, file), 'c')
  t.is(touched(tree, tree.root), 'mc')
  t.is(tree.unlink(folder, name('b')).nlink, 0)
  t.is(tree.inode(file)?.nlink, 0)
})

test('nothing can be made in a folder that was removed', async (t) => {
  const tree = await emptyTree(t)
  const folder = addFolder(tree, 'd')
  const file = addFile(tree, 'f')
  age(tree, folder)
  tree.removeFolder(tree.root, name('d'))
  t.is(links(tree, tree.root), 2)
  t.is(links(tree, folder), 0)
  t.is(touched(tree, folder), 'c')
  t.throws(() => addFile(tree, 'x', folder), { code: 'no-name' })
  const place = { parent: folder, name: name('x') }
  t.throws(() => tree.rename({ parent: tree.root, name: name('f') }, place, 'replace'), { code: 'no-name' })
  t.throws(() => tree.link(file, folder, name('x')), { code: 'no-name' })
})

test('rename moves a name, and the times and links that go with it', async (t) => {
  const tree = await emptyTree(t)
  const [from, to] = [addFolder(tree, 'from'), addFolder(tree, 'to')]
  const [file, folder] = [addFile(tree, 'f', from), addFolder(tree, 'd', from)]
  age(tree, from, to, file, folder)
  t.is(tree.rename({ parent: from, name: name('f') }, { parent: to, name: name('g') }, 'keep'), undefined)
  t.deepEqual([names(tree, from), names(tree, to)], [['d'], ['g']])
  for (const ino of [from, to]) t.is(touched(tree, ino), 'mc')
  t.is(touched(tree, file), 'c')
  tree.rename({ parent: from, name: name('d') }, { parent: to, name: name('d') }, 'replace')
  t.deepEqual([links(tree, from), links(tree, to), links(tree, folder)], [2, 3, 2])
  t.is(tree.parentOf(folder), to)
})

test('rename replaces what has the name, if it is of the kind and empty', async (t) => {
  const tree = await emptyTree(t)
  const { root } = tree
  const at = (text: string): { parent: Ino; name: ReturnType<typeof name> } => ({
    parent: root,
    name: name(text),
  })
  const gone = addFile(tree, 'b')
  const moved = addFile(tree, 'a')
  tree.link(gone, root, name('other'))
  age(tree, gone)
  t.like(tree.rename(at('a'), at('b'), 'replace'), { ino: gone, nlink: 1 })
  t.is(touched(tree, gone), 'c')
  t.is(tree.lookup(root, name('b'))?.ino, moved)

  const [d, e] = [addFolder(tree, 'd'), addFolder(tree, 'e')]
  const inside = addFile(tree, 'x', e)
  const throws = (
    code: string,
    from: string,
    to: string,
    how: 'replace' | 'keep' | 'exchange' = 'replace',
  ): void => void t.throws(() => tree.rename(at(from), at(to), how), { code })
  throws('not-empty', 'd', 'e')
  throws('is-folder', 'b', 'd')
  throws('no-folder', 'd', 'b')
  throws('name-taken', 'b', 'other', 'keep')
  throws('no-name', 'absent', 'b')
  throws('no-name', 'b', 'absent', 'exchange')
  t.like(tree.rename(at('e'), at('d'), 'replace'), { ino: d, nlink: 0 })
  t.is(links(tree, root), 3)
  t.is(tree.parentOf(e), root)
  t.is(tree.lookup(e, name('x'))?.ino, inside)
})

test('rename of one name of a file onto another name of it does nothing', async (t) => {
  const tree = await emptyTree(t)
  const file = addFile(tree, 'a')
  tree.link(file, tree.root, name('b'))
  const [a, b] = ['a', 'b'].map((text) => ({ parent: tree.root, name: name(text) })) as [never, never]
  t.is(tree.rename(a, b, 'replace'), undefined)
  t.is(tree.rename(a, b, 'exchange'), undefined)
  t.is(tree.rename(a, a, 'exchange'), undefined)
  t.deepEqual(names(tree).toSorted(), ['a', 'b'])
  t.is(links(tree, file), 2)
})

test('a folder does not come to lie in itself', async (t) => {
  const tree = await emptyTree(t)
  const outer = addFolder(tree, 'outer')
  const inner = addFolder(tree, 'inner', outer)
  addFile(tree, 'f', inner)
  const from = { parent: tree.root, name: name('outer') }
  for (const parent of [outer, inner])
    t.throws(() => tree.rename(from, { parent, name: name('x') }, 'replace'), { code: 'into-itself' })
  t.throws(() => tree.rename({ parent: inner, name: name('f') }, from, 'exchange'), { code: 'into-itself' })
})

test('an exchange swaps kinds, parents and links', async (t) => {
  const tree = await emptyTree(t)
  const [a, b] = [addFolder(tree, 'a'), addFolder(tree, 'b')]
  const [file, folder] = [addFile(tree, 'f', a), addFolder(tree, 'd', b)]
  age(tree, a, b, file, folder)
  tree.rename({ parent: a, name: name('f') }, { parent: b, name: name('d') }, 'exchange')
  t.is(tree.lookup(a, name('f'))?.ino, folder)
  t.is(tree.lookup(b, name('d'))?.ino, file)
  t.deepEqual([links(tree, a), links(tree, b)], [3, 2])
  t.is(tree.parentOf(folder), a)
  for (const ino of [a, b]) t.is(touched(tree, ino), 'mc')
  for (const ino of [file, folder]) t.is(touched(tree, ino), 'c')
})

test('attributes are set as told, and ctime with all of them', async (t) => {
  const tree = await emptyTree(t)
  const file = addFile(tree, 'f')
  age(tree, file)
  t.is(tree.setAttributes(file, { mode: 0o167777 }).mode, 0o107777)
  t.is(touched(tree, file), 'c')
  t.like(tree.setAttributes(file, { uid: 2 ** 32 - 2, gid: 0 }), { uid: 2 ** 32 - 2, gid: 0, mode: 0o107777 })
  const early = { seconds: -7_000_000_000, nanoseconds: 999_999_999 }
  t.deepEqual(tree.setAttributes(file, { mtime: early }).mtime, early)
  t.is(tree.inode(file)?.atime, undefined)
  t.deepEqual(tree.setAttributes(file, { atime: early }).atime, early)
  const { mtime, ctime } = tree.setAttributes(file, { mtime: 'now' })
  t.deepEqual(mtime, ctime)
})

test('xattrs are made, replaced and removed, also empty ones', async (t) => {
  const tree = await emptyTree(t)
  const file = addFile(tree, 'f')
  age(tree, file)
  t.throws(() => tree.setXattr(file, 'user.a', Buffer.from('1'), 'replace'), { code: 'no-attribute' })
  tree.setXattr(file, 'user.a', Buffer.from('1'), 'create')
  t.is(touched(tree, file), 'c')
  t.throws(() => tree.setXattr(file, 'user.a', Buffer.from('2'), 'create'), { code: 'attribute-taken' })
  tree.setXattr(file, 'user.a', Buffer.alloc(0), 'replace')
  t.deepEqual(tree.xattr(file, 'user.a'), Buffer.alloc(0))
  tree.setXattr(file, 'user.\xff', Buffer.alloc(65_536, 1), 'any')
  t.deepEqual(tree.xattrNames(file), ['user.a', 'user.\xff'])
  tree.removeXattr(file, 'user.a')
  t.throws(() => tree.removeXattr(file, 'user.a'), { code: 'no-attribute' })
  t.throws(() => tree.setXattr(999 as Ino, 'user.a', Buffer.from('1'), 'any'), { code: 'no-name' })
})

test('a listing that is under way goes on rightly while the folder is changed', async (t) => {
  const tree = await emptyTree(t)
  for (const text of ['a', 'b', 'c', 'd']) addFile(tree, text)
  const seen: string[] = []
  let from = 0
  for (let round = 0; ; round++) {
    const [entry] = tree.entries(tree.root, from)
    if (entry === undefined) break
    seen.push(entry.name)
    from = entry.position + 1
    if (round === 0) tree.unlink(tree.root, name('a'))
    if (round === 1) {
      tree.unlink(tree.root, name('c'))
      addFile(tree, 'a')
    }
  }
  t.deepEqual(seen, ['a', 'b', 'd', 'a'])
})

test('a full disk is said so, and nothing is half done', async (t) => {
  const tree = await emptyTree(t)
  const pages = tree.database.prepare('PRAGMA page_count').get()?.page_count
  tree.database.exec(`PRAGMA max_page_count = ${pages}`)
  const make = (i: number): Ino => addFile(tree, `${i}`.padStart(250, 'x'))
  let made = 0
  t.throws(
    () => {
      for (; made < 1000; made++) make(made)
    },
    { name: 'ChangeError', code: 'staging-full' },
  )
  t.is(names(tree).length, made)
  tree.database.exec('PRAGMA max_page_count = 100000')
  make(made)
  t.is(names(tree).length, made + 1)
})

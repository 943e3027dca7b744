import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { MappedIndex } from '../../src/foreign/mapped-index.ts'
import { MappedTree } from '../../src/foreign/mapped-tree.ts'
import { type Mapping, usualTypes } from '../../src/foreign/mapping.ts'
import { type ColumnName, columnNames } from '../../src/foreign/mapping-columns.ts'
import type { Value } from '../../src/foreign/query-protocol.ts'
import type { FileName, Ino } from '../../src/snapshot/tree.ts'
import { validateIndex } from '../../src/snapshot/validate.ts'

type Row = { readonly [Name in ColumnName]?: Value }

const byPath: Mapping = {
  databases: ['export/full'],
  from: 't',
  where: undefined,
  columns: { path: 'p', size: 's', object: 'o' },
  modeUnit: 'octal',
  timeUnit: 'ms',
  types: usualTypes,
}
const byParent: Mapping = { ...byPath, columns: { id: 'i', parent: 'u', name: 'n', size: 's', object: 'o' } }

interface Made {
  /** `path type size object` of each inode, in reading order. */
  readonly lines: readonly string[]
  /** `kind count: examples`. */
  readonly faults: readonly string[]
  readonly tree: MappedTree
}

function made(
  t: ExecutionContext,
  mapping: Mapping,
  rows: readonly Row[],
  { isListed = true }: { readonly isListed?: boolean } = {},
): Made {
  const folder = mkdtempSync(join(tmpdir(), 'mapped-index-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  using index = new MappedIndex(join(folder, 'rows'), mapping)
  for (const row of rows) index.add(columnNames.map((name) => row[name] ?? null))
  const path = join(folder, 'index')
  const totals = index.write(path)
  t.is(typeof validateIndex(path), 'object')
  index.complete(path, rows.length, totals)
  const tree = MappedTree.open(path, 'acme/')
  t.teardown(() => tree[Symbol.dispose]())
  return {
    lines: isListed ? linesOf(tree, tree.root, '') : [],
    faults: index.faults.map(({ kind, count, examples }) => `${kind} ${count}: ${examples.join(', ')}`),
    tree,
  }
}

function linesOf(tree: MappedTree, folder: Ino, path: string): string[] {
  return [...tree.entries(folder, 0)].flatMap(({ name, inode: { ino, mode, size, object, target } }) => {
    const line = `${path}${name} ${mode.toString(8)} ${size} ${object?.key ?? target ?? '-'}`
    return (mode & 0o170000) === 0o040000 ? [line, ...linesOf(tree, ino, `${path}${name}/`)] : [line]
  })
}

test('rows with whole paths make a tree, in any order', (t) => {
  const { lines, faults, tree } = made(t, byPath, [
    { path: 'homedir/mail/new/1', mode: '100600', size: 3, object: '6258c0a30008839f00001146', mtime: 1500 },
    { path: '/homedir/', mode: 40711, mtime: 1_660_000_000_123 },
    { path: Buffer.from([0x61, 0xff]), mode: '644', size: '5', object: 'files0000000003/k' },
    { path: 'homedir/link', type: 'l', mode: '0777', size: 4, target: 'mail' },
    { path: 'homedir/empty', mode: 100644, size: 0 },
    { path: './homedir/mail', type: 'd' },
  ])
  t.deepEqual(faults, [])
  t.deepEqual(lines, [
    'a\xff 100644 5 acme/files0000000003/k',
    'homedir 40711 0 -',
    'homedir/empty 100644 0 -',
    'homedir/link 120777 4 mail',
    'homedir/mail 40755 0 -',
    'homedir/mail/new 40755 0 -',
    'homedir/mail/new/1 100600 3 acme/files/6258c0a30008839f00001146',
  ])
  t.like(tree.lookup(tree.root, 'homedir' as FileName), {
    mtime: { seconds: 1_660_000_000, nanoseconds: 123_000_000 },
    nlink: 3,
  })
})

test('what is wrong with a row with a whole path is told, and the row left out', (t) => {
  const { lines, faults } = made(t, byPath, [
    { path: 'a', size: 1, object: 'x' },
    { path: 'a', size: 1, object: 'y' },
    { path: 'a/b', size: 1, object: 'z' },
    { path: 'd/../e', size: 1, object: 'z' },
    { path: 'f', size: 2, object: 'x' },
    { path: 'g', size: 2 },
    { path: 'h', size: 'many', object: 'x' },
    { path: 'i', mode: '9', size: 0 },
    { path: 'j', type: 'x', size: 0 },
    { path: 'k', type: 'l' },
    { path: 'l', size: 1, object: '../l' },
    { path: null, size: 0 },
  ])
  t.deepEqual(lines, ['a 100644 1 acme/files/x'])
  t.deepEqual(faults, [
    'not-understood 6: g: a file that is not empty has no object, h: size is "many", which is not understood (a count of bytes), i: mode is "9", which is not understood (unit octal), j: type "x" is not in types, k: a symlink has no target',
    'bad-path 2: d/../e, a path is NULL',
    'path-twice 1: a',
    'parent-no-folder 1: a/b',
    'size-disagrees 1: files/x is smaller than 2 bytes in another row',
  ])
})

test('rows with parents make a tree, in any order', (t) => {
  const { lines, faults, tree } = made(t, byParent, [
    { id: 9, parent: 3, name: 'file', size: 1, object: 'x', mode: '640' },
    { id: 1, parent: null, name: '', type: 'd', mode: '40700' },
    { id: 3, parent: 1, name: 'homedir/', type: 'd' },
    { id: 4, parent: '0', name: 'beside', type: 'd' },
    { id: 5, parent: 4n, name: 'link', size: 1, object: 'x', inode: 'i' },
    { id: 6, parent: 4, name: 'second', size: 1, object: 'x', inode: 'i' },
  ])
  t.deepEqual(faults, [])
  t.deepEqual(lines, [
    'beside 40755 0 -',
    'beside/link 100644 1 acme/files/x',
    'beside/second 100644 1 acme/files/x',
    'homedir 40755 0 -',
    'homedir/file 100640 1 acme/files/x',
  ])
  t.is(tree.inode(tree.root)?.mode, 0o040700)
  const [first, second] = [...tree.entries(tree.lookup(tree.root, 'beside' as FileName)!.ino, 0)]
  t.is(first?.inode.ino, second?.inode.ino)
  t.is(first?.inode.nlink, 2)
})

test('what is wrong with rows with parents is told, and they are left out', (t) => {
  const { lines, faults } = made(t, byParent, [
    { id: 1, parent: 0, name: 'a', type: 'd' },
    { id: 1, parent: 0, name: 'b', type: 'd' },
    { id: 2, parent: 7, name: 'c', size: 0 },
    { id: 3, parent: 0, name: 'd', size: 0 },
    { id: 4, parent: 3, name: 'e', size: 0 },
    { id: 5, parent: 6, name: 'f', type: 'd' },
    { id: 6, parent: 5, name: 'g', type: 'd' },
    { id: 8, parent: 0, name: 'a', size: 0 },
    { id: 9, parent: 0, name: 'h/i', size: 0 },
    { id: null, parent: 0, name: 'j', size: 0 },
  ])
  t.deepEqual(lines, ['d 100644 0 -', 'a 40755 0 -'])
  t.deepEqual(faults, [
    'not-understood 1: an id is NULL',
    'bad-path 1: h/i in 0',
    'path-twice 1: a in 0',
    'id-twice 1: 1',
    'parent-missing 1: c in 7',
    'parent-no-folder 1: e in 3',
    'unreachable 2: ',
  ])
})

test('an object is packed, and its SHA-256 known, as its row says', (t) => {
  const sha256 = Buffer.alloc(32, 7)
  const { tree } = made(t, byPath, [
    { path: 'a', size: 1, object: 'x', encoding: 'gzip' },
    { path: 'b', size: 1, object: 'y', sha256: sha256.toString('hex') },
  ])
  t.deepEqual(
    ['a', 'b'].map((name) => tree.lookup(tree.root, name as FileName)?.object),
    [
      { id: 'x', key: 'acme/files/x' as never, size: 1, packing: 'gzip', sha256: undefined },
      { id: 'y', key: 'acme/files/y' as never, size: 1, packing: undefined, sha256 },
    ],
  )
  t.deepEqual([...tree.objects()].map(({ id }) => id).sort(), ['x', 'y'])
})

test('rows that are hard links by name alone, and have other content, are left out', (t) => {
  const { lines, faults } = made(t, byPath, [
    { path: 'a', size: 1, object: 'x', inode: '7' },
    { path: 'b', size: 1, object: 'y', inode: '7' },
    { path: 'c', size: 1, object: 'x', inode: '7' },
    { path: 'd', size: 1, object: 'x', inode: '' },
    { path: 'e', size: 1, object: 'y', inode: '' },
  ])
  t.deepEqual(lines, [
    'a 100644 1 acme/files/x',
    'c 100644 1 acme/files/x',
    'd 100644 1 acme/files/x',
    'e 100644 1 acme/files/y',
  ])
  t.deepEqual(faults, ['links-disagree 1: b'])
})

test('rows that say different things of one object are read as each says', (t) => {
  const sums = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  const { tree } = made(t, byPath, [
    { path: 'a', size: 1, object: 'x', encoding: 'gzip' },
    { path: 'b', size: 1, object: 'x', sha256: sums[0]! },
    { path: 'c', size: 1, object: 'x', sha256: sums[1]! },
    { path: 'd', size: 1, object: 'x' },
  ])
  const read = ['a', 'b', 'c', 'd'].map((name) => tree.lookup(tree.root, name as FileName)?.object)
  t.deepEqual(
    read.map((object) => [object?.packing, object?.sha256]),
    [
      ['gzip', undefined],
      [undefined, sums[0]],
      [undefined, sums[1]],
      [undefined, undefined],
    ],
  )
})

test('no file becomes one that runs as root because its owner is not known', (t) => {
  const { lines } = made(t, byPath, [
    { path: 'a', mode: '6755', size: 0 },
    { path: 'b', mode: '6755', size: 0, uid: 'web', gid: 12 },
    { path: 'c', mode: '6755', size: 0, uid: 0, gid: 0 },
    { path: 'd', mode: '42755' },
  ])
  t.deepEqual(lines, ['a 100755 0 -', 'b 102755 0 -', 'c 106755 0 -', 'd 42755 0 -'])
})

test('a path of thousands of folders is impossible, and does not end what is made of the others', (t) => {
  const { lines, faults } = made(t, byPath, [
    { path: `${'d/'.repeat(30_000)}f`, size: 0 },
    { path: 'a', size: 0 },
  ])
  t.deepEqual(lines, ['a 100644 0 -'])
  t.regex(faults.join(), /^bad-path 1: d\/d/)
})

test('rows with parents may lie in each other as deep as they like', (t) => {
  const rows = Array.from({ length: 20_000 }, (_, id) => ({ id: id + 1, parent: id, name: 'd', type: 'd' }))
  const { tree, faults } = made(t, byParent, rows, { isListed: false })
  t.deepEqual(faults, [])
  t.is(tree.source.folders, 20_001)
})

test('what rows take on the disk until they are put together has a limit', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mapped-index-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  using index = new MappedIndex(join(folder, 'rows'), byParent, { largest: 4 << 20 })
  const row = (id: number): Row => ({
    id: `${id}${'x'.repeat(100_000)}`,
    parent: null,
    name: `${id}`,
    size: 0,
  })
  const addAll = (): void => {
    for (let id = 0; id < 100; id++) index.add(columnNames.map((name) => row(id)[name] ?? null))
  }
  t.throws(addAll, { code: 'query-limit' })
})

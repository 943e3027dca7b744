import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { IndexTree } from '../../src/snapshot/index-tree.ts'
import type { Ino, Inode, Tree } from '../../src/snapshot/tree.ts'
import { validateIndex } from '../../src/snapshot/validate.ts'
import type { NewInode } from '../../src/snapshot/working-index.ts'
import { fileInode, folderInode, nameOf, objectOf, temporaryFolder, writeTree } from './write-tree.ts'

/** An inode and its names: each the place of its folder among the folders, and a name. A folder has one name, and lies in an earlier one. */
interface Planned {
  readonly inode: NewInode
  readonly names: readonly { readonly folder: number; readonly name: string }[]
}

const isFolder = ({ mode }: { mode: number }): boolean => (mode & 0o170000) === 0o040000

const name = fc
  .uint8Array({ minLength: 1, maxLength: 255 })
  .map((bytes) => Buffer.from(bytes).toString('latin1').replaceAll(/[/\0]/g, '~'))
  .filter((text) => text !== '.' && text !== '..')

const timestamp = fc.record({
  seconds: fc.oneof(fc.integer(), fc.maxSafeInteger()),
  nanoseconds: fc.nat(999_999_999),
})

const attributes = fc.record({
  permissions: fc.nat(0o7777),
  uid: fc.nat(0xffff_ffff),
  gid: fc.nat(0xffff_ffff),
  mtime: timestamp,
  ctime: timestamp,
  xattrs: fc.uniqueArray(
    fc.record({
      name: name.map((text) => Buffer.from(text, 'latin1')),
      value: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    }),
    { maxLength: 2, selector: (xattr) => xattr.name.toString('latin1') },
  ),
})

const content = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('folder' as const) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('file' as const), size: fc.nat(1 << 20) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('symlink' as const), target: name }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('sparse' as const),
      runs: fc.array(fc.record({ hole: fc.nat(2 ** 31), length: fc.integer({ min: 1, max: 9999 }) }), {
        maxLength: 4,
      }),
      end: fc.nat(9999),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('node' as const),
      type: fc.constantFrom(0o010000, 0o020000, 0o060000, 0o140000),
      rdev: fc.nat(0xffff_ffff),
    }),
  },
)

const step = fc.record({
  attributes,
  content,
  places: fc.array(fc.tuple(fc.nat(), name), { minLength: 1, maxLength: 3 }),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function inodeOf({ attributes: { permissions, ...given }, content: what }: Step, objectId: string): NewInode {
  switch (what.kind) {
    case 'folder':
      return folderInode({ ...given, mode: 0o040000 | permissions })
    case 'file':
      return fileInode({
        ...given,
        mode: 0o100000 | permissions,
        size: what.size,
        object: what.size === 0 ? undefined : objectId,
      })
    case 'symlink':
      return fileInode({ ...given, mode: 0o120777, target: what.target, size: what.target.length })
    case 'node':
      return fileInode({ ...given, mode: what.type | permissions, rdev: what.rdev })
    case 'sparse': {
      let offset = 0
      let objectOffset = 0
      const extents = what.runs.map(({ hole, length }) => {
        const extent = { offset: offset + hole, length, objectOffset }
        offset = extent.offset + length
        objectOffset += length
        return extent
      })
      return fileInode({
        ...given,
        mode: 0o100000 | permissions,
        size: offset + what.end,
        object: objectOffset === 0 ? undefined : objectId,
        extents,
      })
    }
  }
}

function plan(steps: readonly Step[]): Planned[] {
  const planned: Planned[] = [{ inode: folderInode(), names: [] }]
  const taken = new Set<string>()
  let folders = 1
  steps.forEach((made, i) => {
    const inode = inodeOf(made, objectOf(i + 1, 1).id)
    const names: { folder: number; name: string }[] = []
    for (const [place, text] of isFolder(inode) ? made.places.slice(0, 1) : made.places) {
      const at = { folder: place % folders, name: text }
      if (taken.has(`${at.folder}/${text}`)) continue
      taken.add(`${at.folder}/${text}`)
      names.push(at)
    }
    if (names.length === 0) return
    planned.push({ inode, names })
    if (isFolder(inode)) folders++
  })
  return planned
}

/** What the plan says of an inode, as the tree should give it back. */
function expected({ inode, names }: Planned, subFolders: number): object {
  const { xattrs = [], extents, object, ...rest } = inode
  const stored = extents === undefined ? inode.size : extents.reduce((sum, { length }) => sum + length, 0)
  return {
    ...rest,
    target: inode.target,
    object: object === undefined ? undefined : { id: object, size: stored },
    sparse: extents !== undefined,
    atime: undefined,
    extents: extents ?? [],
    nlink: isFolder(inode) ? 2 + subFolders : names.length,
    xattrs: xattrs.map((xattr) => [xattr.name.toString('latin1'), xattr.value]).sort(byName),
  }
}

function found(tree: Tree, { ino, object, ...inode }: Inode): object {
  return {
    ...inode,
    object: object && { id: object.id, size: object.size },
    extents: [...tree.extents(ino, 0)],
    xattrs: tree.xattrNames(ino).map((xattr) => [xattr, tree.xattr(ino, xattr)]),
  }
}

function byName([a]: readonly unknown[], [b]: readonly unknown[]): number {
  return Buffer.from(a as string, 'latin1').compare(Buffer.from(b as string, 'latin1'))
}

/** Walks in reading order: calls `visit` for each entry, files of a folder first. */
function walk(tree: Tree, folder: Ino, visit: (parent: Ino, name: string, inode: Inode) => void): void {
  for (const { name: text, inode } of tree.entries(folder, 0)) {
    visit(folder, text, inode)
    if (isFolder(inode)) walk(tree, inode.ino, visit)
  }
}

test('any tree comes back as it was, valid, and in reading order', async (t) => {
  const folder = await temporaryFolder(t)
  let run = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const planned = plan(steps)
      const folders = planned.filter(({ inode }) => isFolder(inode))
      const path = join(folder, `${run++}`)
      writeTree(path, (working) => {
        const inos = new Map([[planned[0], 1]])
        planned.forEach((each, i) => {
          const { object, extents, size } = each.inode
          const stored = extents?.reduce((sum, { length }) => sum + length, 0) ?? size
          if (object !== undefined) working.addObject({ ...objectOf(1, stored), id: object })
          if (i > 0) inos.set(each, working.addInode(each.inode))
          for (const at of each.names)
            working.addDentry(
              inos.get(folders[at.folder]) as number,
              nameOf(at.name),
              inos.get(each) as number,
            )
        })
      })
      const validated = validateIndex(path)
      if (typeof validated === 'string') throw new Error(validated)
      using tree = IndexTree.open(path, '')
      const plannedAt = new Map<string, Planned>()
      for (const each of planned) for (const at of each.names) plannedAt.set(`${at.folder}/${at.name}`, each)
      const places = new Map<number, number>([[1, 0]])
      const seen = new Set<Planned>()
      let last = 1
      let lastName: { parent: Ino; name: string; isFolder: boolean } | undefined
      let entries = 0
      walk(tree, tree.root, (parent, text, inode) => {
        entries++
        const each = plannedAt.get(`${places.get(parent)}/${text}`)
        if (each === undefined) throw new Error(`nobody put ${text} here`)
        if (isFolder(inode)) places.set(inode.ino, folders.indexOf(each))
        const subFolders = planned.filter(
          (other) => isFolder(other.inode) && other.names[0]?.folder === folders.indexOf(each),
        ).length
        t.deepEqual(found(tree, inode), expected(each, subFolders))
        t.deepEqual(tree.lookup(parent, nameOf(text)), inode)
        t.deepEqual(tree.inode(inode.ino), inode)
        if (isFolder(inode)) t.is(tree.parentOf(inode.ino), parent)
        // A number is met first in its turn, and later only as another name of the same inode.
        if (seen.has(each)) t.true(inode.ino <= last)
        else t.is(inode.ino, ++last as Ino)
        seen.add(each)
        if (lastName?.parent === parent && lastName.isFolder === isFolder(inode))
          t.true(byName([lastName.name], [text]) < 0)
        lastName = { parent, name: text, isFolder: isFolder(inode) }
      })
      t.is(entries, plannedAt.size)
      t.is(validated.inodes, planned.length)
    }),
    { numRuns: 60 },
  )
})

import { copyFile, open, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test, { type ExecutionContext } from 'ava'
import { IndexTree } from '../../src/snapshot/index-tree.ts'
import type { Ino } from '../../src/snapshot/tree.ts'
import { validateIndex } from '../../src/snapshot/validate.ts'
import {
  fileInode,
  folderInode,
  nameOf,
  objectOf,
  symlinkInode,
  temporaryFolder,
  writeTree,
} from './write-tree.ts'

/**
 * 1 ─ 2 empty · 3 file (object 1, 10 bytes) · 4 sparse (object 2, two extents) · 5 symlink · 6 a ─ 7 inner, also hard link · 8 b ─ 9 c
 */
function writeSample(path: string): void {
  writeTree(path, (working) => {
    working.addObject(objectOf(1, 10))
    working.addObject(objectOf(2, 30))
    const put = (parent: number, name: string, ino: number): number => {
      working.addDentry(parent, nameOf(name), ino)
      return ino
    }
    put(1, 'empty', working.addInode(fileInode()))
    const xattrs = [{ name: Buffer.from('user.x'), value: Buffer.from('y') }]
    put(1, 'file', working.addInode(fileInode({ size: 10, object: objectOf(1, 10).id, xattrs })))
    const extents = [
      { offset: 0, length: 10, objectOffset: 0 },
      { offset: 100, length: 20, objectOffset: 10 },
    ]
    put(1, 'sparse', working.addInode(fileInode({ size: 1000, object: objectOf(2, 30).id, extents })))
    put(1, 'symlink', working.addInode(symlinkInode('file')))
    const a = put(1, 'a', working.addInode(folderInode()))
    const inner = put(a, 'inner', working.addInode(fileInode()))
    const b = put(1, 'b', working.addInode(folderInode()))
    put(b, 'link', inner)
    put(b, 'c', working.addInode(folderInode()))
  })
}

async function sample(t: ExecutionContext): Promise<string> {
  const path = join(await temporaryFolder(t), 'index')
  writeSample(path)
  return path
}

function change(path: string, sql: string): void {
  const database = new DatabaseSync(path, { defensive: false })
  database.exec('PRAGMA journal_mode = OFF')
  database.exec(sql)
  database.close()
}

test('the sample that the other tests break is valid', async (t) => {
  t.deepEqual(validateIndex(await sample(t)), { inodes: 9, bytes: 1010 })
})

/** Each breaks the valid index at one place; the answer must match. */
const breaks: readonly (readonly [what: string, sql: string, answer: RegExp])[] = [
  ['no top folder', 'DELETE FROM inode WHERE ino = 1', /ino 1 is no folder/],
  ['a file as top folder', 'UPDATE inode SET mode = 33188 WHERE ino = 1', /ino 1 is no folder/],
  ['ino 0', 'UPDATE inode SET ino = 0 WHERE ino = 2', /inode number is out of range/],
  ['a negative ino', 'UPDATE inode SET ino = -5 WHERE ino = 2', /inode number is out of range/],
  ['ino 2^32', 'UPDATE inode SET ino = 4294967296 WHERE ino = 2', /inode number is out of range/],
  ['ino 2^33', 'UPDATE inode SET ino = 8589934592 WHERE ino = 2', /inode number is out of range/],
  ['ino 2^63-1', 'UPDATE inode SET ino = 9223372036854775807 WHERE ino = 2', /inode number is out of range/],
  ['an unknown type', 'UPDATE inode SET mode = 420 WHERE ino = 2', /unknown type/],
  ['two types at once', 'UPDATE inode SET mode = 57764 WHERE ino = 2', /unknown type/],
  ['a mode with more than 16 bits', 'UPDATE inode SET mode = mode + 65536 WHERE ino = 2', /unknown type/],
  ['a negative mode', 'UPDATE inode SET mode = -32348 WHERE ino = 2', /unknown type/],
  ['a negative size', 'UPDATE inode SET size = -1 WHERE ino = 2', /a size, a link count/],
  ['a size above 2^53', 'UPDATE inode SET size = 9007199254740993 WHERE ino = 4', /a size, a link count/],
  ['a negative owner', 'UPDATE inode SET uid = -1 WHERE ino = 2', /a size, a link count/],
  ['a group of 2^32', 'UPDATE inode SET gid = 4294967296 WHERE ino = 2', /a size, a link count/],
  ['a negative link count', 'UPDATE inode SET nlink = -1 WHERE ino = 2', /a size, a link count/],
  ['a device of 2^32', 'UPDATE inode SET rdev = 4294967296 WHERE ino = 2', /a size, a link count/],
  ['a time of 10^9 ns', 'UPDATE inode SET mtime_ns = 1000000000 WHERE ino = 2', /a time is out of range/],
  ['a time of -1 ns', 'UPDATE inode SET ctime_ns = -1 WHERE ino = 2', /a time is out of range/],
  ['a time above 2^53', 'UPDATE inode SET ctime = 9007199254740993 WHERE ino = 2', /a time is out of range/],
  ['a time of -2^63', 'UPDATE inode SET mtime = -9223372036854775807 - 1 WHERE ino = 2', /a time is out of/],
  ...['', '.', '..', '/', 'a/b', 'a\0', '\0', 'x'.repeat(256), '../../etc/passwd'].map(
    (name) =>
      [
        `the name ${JSON.stringify(name).slice(0, 30)}`,
        `UPDATE dentry SET name = x'${Buffer.from(name).toString('hex')}' WHERE parent = 8 AND position = 0`,
        /a name is empty/,
      ] as const,
  ),
  ['entries in a file', 'UPDATE dentry SET parent = 2 WHERE parent = 6', /what is no folder/],
  ['entries in what is not there', 'UPDATE dentry SET parent = 77 WHERE parent = 6', /what is no folder/],
  ['entries in ino 0', 'UPDATE dentry SET parent = 0 WHERE parent = 6', /what is no folder/],
  ['an entry of no inode', 'UPDATE dentry SET ino = 77 WHERE ino = 7 AND parent = 6', /not there/],
  ['an entry of ino -1', 'UPDATE dentry SET ino = -1 WHERE ino = 7 AND parent = 6', /not there/],
  ['a folder in itself', 'UPDATE dentry SET ino = 8 WHERE ino = 9', /a folder that is in another one/],
  [
    'a folder in itself by its parent too',
    'UPDATE dentry SET parent = 9, position = 0 WHERE ino = 9; UPDATE inode SET parent = 9 WHERE ino = 9',
    /a cycle/,
  ],
  [
    'two folders in each other',
    'UPDATE dentry SET parent = 9, position = 0 WHERE ino = 8; UPDATE inode SET parent = 9 WHERE ino = 8',
    /a cycle/,
  ],
  [
    'the top folder in a folder',
    'UPDATE dentry SET ino = 1 WHERE ino = 9',
    /a folder that is in another one/,
  ],
  [
    'the top folder in a folder by its parent too',
    'UPDATE dentry SET ino = 1 WHERE ino = 9; UPDATE inode SET parent = 8 WHERE ino = 1',
    /a cycle/,
  ],
  ['a folder in two places', "INSERT INTO dentry VALUES (6, 1, x'78', 9)", /a folder that is in another one/],
  [
    'a folder below itself too',
    "INSERT INTO dentry VALUES (9, 0, x'78', 8)",
    /a folder that is in another one/,
  ],
  [
    'a folder twice in one place',
    "INSERT INTO dentry VALUES (8, 2, x'78', 9)",
    /a folder has no entry, or more/,
  ],
  [
    'a folder twice and another nowhere',
    'UPDATE dentry SET ino = 8 WHERE ino = 6',
    /a folder has no entry, or more/,
  ],
  ['a folder that is nowhere', 'DELETE FROM dentry WHERE ino = 9', /a folder has no entry, or more/],
  [
    'a folder without a parent',
    'UPDATE inode SET parent = NULL WHERE ino = 9',
    /is not in one with a smaller/,
  ],
  [
    'a folder whose parent is ino -1',
    'UPDATE inode SET parent = -1 WHERE ino = 9',
    /a folder that is in another/,
  ],
  ['a file with a parent', 'UPDATE inode SET parent = 1 WHERE ino = 2', /something else has a parent/],
  ['a gap in the positions', 'UPDATE dentry SET position = 2 WHERE ino = 9', /positions in a folder/],
  [
    'a negative position',
    'UPDATE dentry SET position = -1 WHERE ino = 7 AND parent = 8',
    /positions in a folder/,
  ],
  [
    'positions that begin at 1',
    'UPDATE dentry SET position = position + 100; UPDATE dentry SET position = position - 99',
    /positions in a folder/,
  ],
  [
    'names in another order',
    `UPDATE dentry SET position = 9 WHERE parent = 1 AND position = 0;
     UPDATE dentry SET position = 0 WHERE parent = 1 AND position = 1;
     UPDATE dentry SET position = 1 WHERE parent = 1 AND position = 9`,
    /not in reading order/,
  ],
  [
    'a folder before a file',
    `UPDATE dentry SET position = 9 WHERE parent = 8 AND position = 0;
     UPDATE dentry SET position = 0 WHERE parent = 8 AND position = 1;
     UPDATE dentry SET position = 1 WHERE parent = 8 AND position = 9`,
    /not in reading order/,
  ],
  ['a symlink without a target', 'UPDATE inode SET target = NULL WHERE ino = 5', /a symlink has no target/],
  ['an empty target', "UPDATE inode SET target = x'' WHERE ino = 5", /a symlink has no target/],
  ['a target with NUL', "UPDATE inode SET target = x'6100' WHERE ino = 5", /a symlink has no target/],
  [
    'a target of 4,096 bytes',
    'UPDATE inode SET target = zeroblob(4096) WHERE ino = 5',
    /a symlink has no target/,
  ],
  ['a file with a target', "UPDATE inode SET target = x'61' WHERE ino = 2", /a symlink has no target/],
  [
    'an object id of 11 bytes',
    'UPDATE object SET id = zeroblob(11) WHERE size = 10',
    /wrong id, size or hash/,
  ],
  ['a hash of 31 bytes', 'UPDATE object SET sha256 = zeroblob(31)', /wrong id, size or hash/],
  ['an object of no bytes', 'UPDATE object SET size = 0 WHERE size = 10', /wrong id, size or hash/],
  ['an object of -1 bytes', 'UPDATE object SET size = -1 WHERE size = 10', /wrong id, size or hash/],
  ['an object that is not there', 'DELETE FROM object WHERE size = 10', /a file and its object/],
  ['an object of another size', 'UPDATE object SET size = 11 WHERE size = 10', /a file and its object/],
  ['a file with bytes and no object', 'UPDATE inode SET size = 1 WHERE ino = 2', /a file and its object/],
  [
    'a folder with an object',
    'UPDATE inode SET object = (SELECT id FROM object WHERE size = 10) WHERE ino = 6',
    /a file and its object/,
  ],
  ['sparse 2', 'UPDATE inode SET sparse = 2 WHERE ino = 4', /a file and its object/],
  ['a sparse folder', 'UPDATE inode SET sparse = 1 WHERE ino = 6', /a file and its object/],
  ['extents that overlap', 'UPDATE extent SET offset = 9 WHERE offset = 100', /extents of a file/],
  ['an extent behind the end', 'UPDATE extent SET offset = 981 WHERE offset = 100', /extents of a file/],
  ['an extent behind the object', 'UPDATE extent SET object_offset = 11 WHERE offset = 100', /extents of a/],
  ['an extent of no bytes', 'UPDATE extent SET length = 0 WHERE offset = 100', /extents of a file/],
  ['a negative extent', 'UPDATE extent SET offset = -1 WHERE offset = 0', /extents of a file/],
  ['a negative place in the object', 'UPDATE extent SET object_offset = -1', /extents of a file/],
  ['an extent of 2^63-1 bytes', 'UPDATE extent SET length = 9223372036854775807', /extents of a file/],
  ['extents of a file without holes', 'UPDATE extent SET ino = 3', /extents of a file/],
  ['extents of no file', 'UPDATE extent SET ino = 77', /extents of a file/],
  ['an attribute without a name', "UPDATE xattr SET name = x''", /extended attribute/],
  ['an attribute with a name of 256 bytes', 'UPDATE xattr SET name = zeroblob(256)', /extended attribute/],
  ['an attribute of no inode', 'UPDATE xattr SET ino = 77', /extended attribute/],
  ['an attribute whose name holds NUL', "UPDATE xattr SET name = x'757365722e0078'", /extended attribute/],
  ['an attribute of 65,537 bytes', 'UPDATE xattr SET value = zeroblob(65537)', /extended attribute/],
  [
    'more attributes than can be listed',
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
     INSERT INTO xattr SELECT 3, CAST(printf('user.%0200d', i) AS BLOB), x'' FROM n`,
    /extended attribute/,
  ],
  ['another table', 'CREATE TABLE other (x INTEGER) STRICT', /its tables are not/],
  ['a trigger', 'CREATE TRIGGER t AFTER DELETE ON xattr BEGIN DELETE FROM inode; END', /its tables are not/],
  ['a view', 'CREATE VIEW v AS SELECT * FROM inode', /its tables are not/],
  [
    'a table replaced by a view',
    'DROP TABLE extent; CREATE VIEW extent AS SELECT 1 AS ino',
    /its tables are not/,
  ],
  ['another index', 'CREATE INDEX i ON inode (size)', /its tables are not/],
  ['no index of the names', 'DROP INDEX dentry_name', /its tables are not/],
  ['a virtual table', 'CREATE VIRTUAL TABLE f USING fts5(x)', /its tables are not/],
  ['a table less', 'DROP TABLE xattr', /its tables are not/],
  ['statistics', 'ANALYZE', /its tables are not/],
  ['no mark', 'PRAGMA application_id = 0', /mark of jbfs/],
  ['format 2', 'PRAGMA user_version = 2', /format 2, not 1/],
]

for (const [what, sql, answer] of breaks)
  test(`found: ${what}`, async (t) => {
    const path = await sample(t)
    change(path, sql)
    const found = validateIndex(path)
    if (typeof found !== 'string') return t.fail(`accepted: ${JSON.stringify(found)}`)
    t.regex(found, answer)
    t.notRegex(found, /\n/)
  })

test('two entries of one name are found even where the index of names does not show them', async (t) => {
  const path = await sample(t)
  change(
    path,
    `DROP INDEX dentry_name; INSERT INTO dentry VALUES (6, 1, x'${Buffer.from('inner').toString('hex')}', 2)`,
  )
  // Its text stays as the format has it; its rows are those of another table, in which the names differ.
  change(
    path,
    `CREATE UNIQUE INDEX dentry_name ON dentry (parent, name) WHERE 0;
     PRAGMA writable_schema = ON;
     UPDATE sqlite_schema SET sql = 'CREATE UNIQUE INDEX dentry_name ON dentry (parent, name)' WHERE name = 'dentry_name'`,
  )
  t.regex(String(validateIndex(path)), /not in reading order|damaged/)
})

test('an index of names that leaves an entry out is found', async (t) => {
  const path = await sample(t)
  change(
    path,
    `DROP INDEX dentry_name;
     CREATE UNIQUE INDEX dentry_name ON dentry (parent, name) WHERE ino != 3;
     PRAGMA writable_schema = ON;
     UPDATE sqlite_schema SET sql = 'CREATE UNIQUE INDEX dentry_name ON dentry (parent, name)' WHERE name = 'dentry_name'`,
  )
  t.regex(String(validateIndex(path)), /damaged/)
})

for (const [what, content] of [
  ['no bytes', Buffer.alloc(0)],
  ['text', Buffer.from('this is no database, but it is long enough to have a header of one: '.repeat(20))],
  ['zeros', Buffer.alloc(8192)],
  ['the header of SQLite alone', Buffer.from('SQLite format 3\0')],
] as const)
  test(`found: a file of ${what}`, async (t) => {
    const path = join(await temporaryFolder(t), 'index')
    await writeFile(path, content)
    t.is(typeof validateIndex(path), 'string')
  })

test('found: a file that is not there', async (t) => {
  t.regex(String(validateIndex(join(await temporaryFolder(t), 'index'))), /cannot be read/)
})

test('a truncated file is found, wherever it ends', async (t) => {
  const path = await sample(t)
  const { length } = await readFile(path)
  const copy = `${path}.copy`
  for (let end = length - 1; end > 0; end -= 1021) {
    await copyFile(path, copy)
    await truncate(copy, end)
    t.is(typeof validateIndex(copy), 'string', `truncated to ${end} of ${length} bytes`)
  }
})

/** Whatever the bytes are: an answer, and from what is accepted a walk that ends. */
test('overwritten bytes never crash, hang, or make a tree that cannot be walked', async (t) => {
  const path = await sample(t)
  const original = await readFile(path)
  const copy = `${path}.copy`
  let accepted = 0
  // Every place of the schema page's and b-tree pages' headers, and a sample of the rest.
  const places = [
    ...Array.from({ length: 120 }, (_, i) => i),
    ...Array.from({ length: original.length / 4096 - 1 }, (_, page) =>
      Array.from({ length: 12 }, (_, i) => (page + 1) * 4096 + i),
    ).flat(),
    ...Array.from({ length: 300 }, (_, i) => Math.floor((i * original.length) / 300)),
  ]
  for (const place of places)
    for (const value of [0, 0xff, (original[place] as number) ^ 0x01]) {
      await copyFile(path, copy)
      await using file = await open(copy, 'r+')
      await file.write(Buffer.from([value]), 0, 1, place)
      if (typeof validateIndex(copy) === 'string') continue
      accepted++
      using tree = IndexTree.open(copy, '')
      walk(tree, tree.root, 10)
    }
  t.log(`${accepted} of ${places.length * 3} changes were to bytes that may have any value`)
  t.pass()
})

function walk(tree: IndexTree, folder: Ino, depth: number): void {
  if (depth === 0) throw new Error('a cycle')
  for (const { inode, name } of tree.entries(folder, 0)) {
    tree.lookup(folder, name)
    for (const _extent of tree.extents(inode.ino, 0));
    for (const xattr of tree.xattrNames(inode.ino)) tree.xattr(inode.ino, xattr)
    if ((inode.mode & 0o170000) === 0o040000) walk(tree, inode.ino, depth - 1)
  }
}

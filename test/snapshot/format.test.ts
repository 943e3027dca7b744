import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { parseManifest } from '../../src/snapshot/manifest.ts'
import { indexes, tables } from '../../src/snapshot/schema.ts'
import { fileInode, folderInode, nameOf, temporaryFolder, writeTree } from './write-tree.ts'

const specification = await readFile(new URL('../../native-notes/format.md', import.meta.url), 'utf8')

function block(language: string): string {
  return specification.split(`\`\`\`${language}\n`)[1]?.split('\n```')[0] ?? ''
}

test('the schema is that of the specification', (t) => {
  t.is(block('sql'), [...tables, ...indexes].join('\n'))
})

test('the manifest in the specification is one', (t) => {
  const text = block('json').replace('5f1d…', 'a'.repeat(64))
  t.is(parseManifest(Buffer.from(text)).jbfs?.index.key, 'export/snap.1')
})

test('the tree in the specification is numbered as it says', async (t) => {
  const path = join(await temporaryFolder(t), 'index')
  writeTree(path, (working) => {
    const add = (parent: number, name: string, ino: number): number => {
      working.addDentry(parent, nameOf(name), ino)
      return ino
    }
    const c = add(1, 'c', working.addInode(folderInode()))
    const a = add(1, 'a', working.addInode(folderInode()))
    add(1, 'z', working.addInode(fileInode()))
    add(c, 'link', add(1, 'B', working.addInode(fileInode())))
    const deep = add(a, 'deep', working.addInode(folderInode()))
    add(deep, 'y', working.addInode(fileInode()))
    add(a, 'x', working.addInode(fileInode()))
  })
  using database = new DatabaseSync(path, { readOnly: true })
  const rows = database
    .prepare(
      `SELECT dentry.parent, position, CAST(name AS TEXT) AS name, inode.ino, nlink, inode.parent AS up
       FROM dentry JOIN inode ON inode.ino = dentry.ino ORDER BY inode.ino, dentry.parent`,
    )
    .all()
  const written = rows.map((row) => `(${row.parent}, ${row.position}, \`${row.name}\`)`)
  const lines = specification.split('\n').filter((line) => /^\| [1-8] \| /.test(line))
  const entries = lines.flatMap((line) => line.match(/\(\d+, \d+, `\w+`\)/g) ?? [])
  t.deepEqual(entries, written)
  for (const line of lines) {
    const [, ino, parent] = /^\| (\d) .*parent (\d)/.exec(line) ?? []
    if (ino !== undefined) t.is(rows.find((row) => row.ino === Number(ino))?.up, Number(parent))
  }
})

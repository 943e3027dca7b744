import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import test from 'ava'
import { jbfsProgram, mountDestination, temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { output, run } from '../support/run.ts'
import { testUnless } from '../support/test-unless.ts'

interface Damage {
  readonly title: string
  /** Spoils `snap.N` of a repository. */
  readonly spoil: (place: Place) => Promise<void>
  /** Path below the snapshot whose reading must fail, and the folder's listing; undefined: the snapshot itself. */
  readonly file?: string
  /** What the log, or `user.jbfs.error`, says. */
  readonly says: RegExp
}

interface Place {
  readonly repository: string
  readonly name: string
}

const indexOf = ({ repository, name }: Place): string => join(repository, 'export', name)
const manifestOf = ({ repository, name }: Place): string => join(repository, name, 'jetbackup.index')

/** The object whose content is `text`. */
async function objectWith({ repository }: Place, text: string): Promise<string> {
  for (const id of await readdir(join(repository, 'files'))) {
    const path = join(repository, 'files', id)
    if ((await readFile(path, 'utf8')) === text) return path
  }
  throw new Error(`no object holds ${text}`)
}

/** Changes the index by SQL and gives the manifest the new size and hash: what a hostile writer could publish. */
async function rewriteIndex(place: Place, sql: string): Promise<void> {
  const raw = join(place.repository, 'raw.sqlite')
  await writeFile(raw, zstdDecompressSync(await readFile(indexOf(place))))
  const database = new DatabaseSync(raw)
  database.exec(sql)
  database.close()
  const sqlite = await readFile(raw)
  const stored = zstdCompressSync(sqlite)
  await writeFile(indexOf(place), stored)
  const manifest = JSON.parse(await readFile(manifestOf(place), 'utf8'))
  manifest.jbfs.index.size = stored.length
  manifest.jbfs.index.rawSize = sqlite.length
  manifest.jbfs.index.sha256 = createHash('sha256').update(stored).digest('hex')
  await writeFile(manifestOf(place), JSON.stringify(manifest))
  await rm(raw)
}

const hostile = (title: string, sql: string): Damage => ({
  title: `hostile index: ${title}`,
  spoil: (place) => rewriteIndex(place, sql),
  says: /not valid|cannot be read/,
})

const damages: readonly Damage[] = [
  {
    title: 'truncated index',
    spoil: async (place) => truncate(indexOf(place), Math.floor((await stat(indexOf(place))).size / 2)),
    says: /its manifest says/,
  },
  {
    title: 'corrupt index',
    spoil: async (place) => {
      const bytes = await readFile(indexOf(place))
      bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 0xff
      await writeFile(indexOf(place), bytes)
    },
    says: /SHA-256/,
  },
  {
    title: 'manifest that is no JSON',
    spoil: (place) => writeFile(manifestOf(place), '<html>'),
    says: /no JSON/,
  },
  { title: 'manifest whose index is missing', spoil: (place) => rm(indexOf(place)), says: /is missing/ },
  {
    title: 'object missing',
    spoil: async (place) => rm(await objectWith(place, `${place.name} a\n`)),
    file: 'a.txt',
    says: /is missing/,
  },
  {
    title: 'object of another size',
    spoil: async (place) =>
      writeFile(await objectWith(place, `${place.name} a\n`), 'longer than it was before\n'),
    file: 'a.txt',
    says: /corrupt|other bytes|does not have the bytes|size/,
  },
  {
    title: 'object with other bytes',
    spoil: async (place) => {
      const path = await objectWith(place, `${place.name} a\n`)
      await writeFile(path, `${place.name} b\n`)
    },
    file: 'a.txt',
    says: /other bytes|does not have the bytes|SHA-256/,
  },
  hostile(
    'a folder that is its own grandchild',
    'UPDATE dentry SET ino = 1 WHERE position = 0 AND parent != 1',
  ),
  hostile('..', "UPDATE dentry SET name = x'2e2e' WHERE parent = 1 AND position = 0"),
  hostile('a slash in a name', "UPDATE dentry SET name = x'612f62' WHERE parent = 1 AND position = 0"),
  hostile('NUL in a name', "UPDATE dentry SET name = x'6100' WHERE parent = 1 AND position = 0"),
  hostile('a negative size', 'UPDATE inode SET size = -1 WHERE ino = 2'),
  hostile(
    'the same name twice',
    'DROP INDEX dentry_name; UPDATE dentry SET name = (SELECT name FROM dentry WHERE parent = 1 AND position = 0) WHERE parent = 1 AND position = 1',
  ),
  hostile(
    'an inode number of 2³²',
    'UPDATE inode SET ino = 4294967296 WHERE ino = 2; UPDATE dentry SET ino = 4294967296 WHERE ino = 2',
  ),
  hostile('another table', 'CREATE TABLE more (x)'),
]

testUnless(test, whyNoMounts())(
  'each damaged snapshot has its own error, and all others go on being served',
  async (t) => {
    await using folder = await temporaryFolder()
    const destination = join(folder.path, 'destination')
    const repository = join(destination, 'customer')
    const numbered = damages.map((damage, i) => ({ ...damage, name: `snap.${i + 2}` }))
    for (const { name } of [{ name: 'snap.1' }, ...numbered]) {
      const source = join(folder.path, name)
      await mkdir(join(source, 'folder/inner'), { recursive: true })
      // Contents of their own: no two snapshots share an object.
      for (const file of ['a', 'b']) await writeFile(join(source, `${file}.txt`), `${name} ${file}\n`)
      await writeFile(join(source, 'folder/inner/c.txt'), `${name} c\n`)
      await output(process.execPath, [jbfsProgram, 'import', source, join(repository, name)])
    }
    for (const { spoil, name } of numbered) await spoil({ repository, name })

    await using mount = await mountDestination(folder.path, destination)
    const root = join(mount.path, 'customer')
    t.is((await readdir(root)).length, damages.length + 2, 'all snapshots are listed')
    t.is((await run('ls', ['-l', root])).code, 0)
    for (const { title, name, file, says } of numbered) {
      const snapshot = join(root, name)
      const failed =
        file === undefined ? await run('ls', [snapshot]) : await run('cat', [join(snapshot, file)])
      t.not(failed.code, 0, title)
      t.regex(failed.stderr, /Input\/output error/, title)
      const said =
        file === undefined
          ? await output('getfattr', ['--absolute-names', '--only-values', '-n', 'user.jbfs.error', snapshot])
          : await mount.log()
      t.regex(said, says, title)
      if (file !== undefined) t.is(await readFile(join(snapshot, 'b.txt'), 'utf8'), `${name} b\n`, title)
      t.is(await readFile(join(root, 'snap.1/folder/inner/c.txt'), 'utf8'), 'snap.1 c\n', title)
    }
    const status = JSON.parse(await output(process.execPath, [jbfsProgram, 'status', mount.path, '--json']))
    t.regex(JSON.stringify(status), /damaged/)
  },
)

import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { readMappingFile } from '../../src/foreign/mapping-file.ts'
import { foreignObjects, foreignRepository, writeObjects } from '../support/foreign/foreign-destination.ts'
import { manifest } from '../support/foreign/layouts/manifest.ts'
import { numeric } from '../support/foreign/layouts/numeric.ts'
import { paths } from '../support/foreign/layouts/paths.ts'
import { wal } from '../support/foreign/layouts/wal.ts'
import { temporaryFolder } from '../support/mounted.ts'
import { runJbfs, type TextResult } from '../support/run-jbfs.ts'

function inspect(folder: string, ...args: readonly string[]): Promise<TextResult> {
  return runJbfs(['inspect', ...args, '--cache-dir', join(folder, 'cache')])
}

test('jbfs inspect shows keys, objects, and the tables of the newest snapshot', async (t) => {
  await using folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  writeObjects(destination, foreignObjects(numeric, folder.path))
  const { code, stdout, stderr } = await inspect(folder.path, destination)
  t.is(code, 0, stderr)
  for (const line of [
    /acme: not written by jbfs, so that it is only read/,
    /^export\/snap\.3 .* SQLite database, packed by gzip$/m,
    /^snap\.4\/jetbackup\.index .* JSON manifest with created, suspended, account, engine, items$/m,
    /^files0000000001\/: 19 objects/m,
    /^of 8 that were looked at: 8 gzip$/m,
    /^== export\/snap\.4$/m,
    /^table f: 79 rows$/m,
    /^ {2}k +TEXT +text, all different +100 % of values are keys of existing objects/m,
    /^ {2}s +INTEGER .* 100 % of values are the unpacked sizes of the objects$/m,
    /^ {2}p +INTEGER .* parents: 100 % of values are a i, or none$/m,
    /^ {2}m +INTEGER .* permissions \(decimal\)$/m,
    /^ {2}mt +INTEGER .* times \(ms\)$/m,
    /b'config'/,
    /^ {2}index f_p on p$/m,
  ])
    t.regex(stdout, line)
  t.notRegex(stdout, /== export\/snap\.3/)
})

test('jbfs inspect of a snapshot prints JSON for programs', async (t) => {
  await using folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  writeObjects(destination, foreignObjects(wal, folder.path))
  const asked = join(destination, foreignRepository, 'snap.3')
  const { code, stdout, stderr } = await inspect(folder.path, asked, '--json')
  t.is(code, 0, stderr)
  const [report] = JSON.parse(stdout)
  t.like(report, { repository: '', snapshots: [3, 4], inspected: 3, keysNotLookedAt: 0 })
  const index = report.keys.find(({ key }: { key: string }) => key === 'export/snap.3')
  t.like(index, { container: 'xz', content: 'sqlite', writtenByJbfs: false })
  const database = report.databases.find(({ key }: { key: string }) => key === 'export/snap.3')
  const table = database.tables.find(({ name }: { name: string }) => name === 'backup_file')
  t.like(table.columns[0], { name: 'file_id', declared: 'TEXT' })
  t.like(table.columns[0].looks[0], { role: 'object', share: 1, detail: 'name' })
})

test('what jbfs inspect --suggest prints is a mapping', async (t) => {
  await using folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  writeObjects(destination, foreignObjects(manifest, folder.path))
  const { code, stdout, stderr } = await inspect(folder.path, destination, '--suggest')
  t.is(code, 0, stderr)
  t.regex(stdout, /^# {3}jbfs inspect .*acme\/snap\.4 --try mapping\.toml$/m)
  t.regex(stdout, /^object = "content\.blob_id" # 100 % sure/m)
  const file = join(folder.path, 'mapping.toml')
  await writeFile(file, stdout)
  t.is(readMappingFile(file).columns.encoding, "'gzip'")
})

test('jbfs inspect says what is not there, and shows the keys of several repositories', async (t) => {
  await using folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  await mkdir(destination)
  t.like(await inspect(folder.path, destination), { code: 5, stdout: '' })
  writeObjects(destination, foreignObjects(wal, folder.path))
  const absent = await inspect(folder.path, join(destination, foreignRepository, 'snap.9'))
  t.is(absent.code, 5)
  t.regex(absent.stderr, /there is no snapshot .*snap\.9/)
  await mkdir(join(destination, 'other'))
  await mkdir(join(destination, 'other/snap.1'))
  await writeFile(join(destination, 'other/snap.1/jetbackup.index'), '{}')
  const several = await inspect(folder.path, destination)
  t.is(several.code, 0)
  t.regex(several.stdout, /acme: not written by jbfs[\s\S]*\nother: not written by jbfs/)
  t.notRegex(several.stdout, /^table /m)
  t.regex(several.stderr, /only the keys of 2 of 2 repositories were looked at/)
  const ofSeveral = await inspect(folder.path, destination, '--suggest')
  t.is(ofSeveral.code, 2)
  t.regex(ofSeveral.stderr, /there are 2 repositories .*: say which/)
  const other = await inspect(folder.path, join(destination, 'other'), '--suggest')
  t.is(other.code, 5)
  t.regex(other.stderr, /no table has anything that looks like/)
})

test('what is packed by a program that is not installed is said', async (t) => {
  await using folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  writeObjects(destination, foreignObjects(wal, folder.path))
  const args = ['inspect', destination, '--cache-dir', join(folder.path, 'cache')]
  const without = await runJbfs(args, { env: { PATH: '/nonexistent' } })
  t.is(without.code, 0, without.stderr)
  t.regex(without.stdout, /^export\/snap\.4 .* it is packed by xz, which is not installed$/m)
  t.regex((await runJbfs(args)).stdout, /table backup_file/)
})

test('what is damaged is said, and the rest is shown', async (t) => {
  await using folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  writeObjects(destination, foreignObjects(numeric, folder.path))
  const repository = join(destination, foreignRepository)
  await writeFile(join(repository, 'snap.4/jetbackup.index'), '{ no')
  await rename(join(repository, 'export/snap.3'), join(repository, 'export/other'))
  await writeFile(join(repository, 'export/snap.4'), Buffer.from('SQLite format 3\0'.padEnd(8192, 'x')))
  const { code, stdout } = await inspect(folder.path, destination)
  t.is(code, 0)
  t.regex(stdout, /== export\/snap\.4\n.*(?:not a database|malformed)/)
  t.regex(stdout, /== export\/other\n\ntable b: /)
  t.regex(stdout, /snap\.4\/jetbackup\.index .* it is no JSON/)
})

test('where nothing can be suggested, the reason is told', async (t) => {
  await using folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  const none = foreignObjects(paths, folder.path).filter(({ key }) => !key.endsWith('/jetbackup.index'))
  writeObjects(destination, none)
  const withoutSnapshots = await inspect(folder.path, join(destination, foreignRepository), '--suggest')
  t.is(withoutSnapshots.code, 5)
  t.regex(withoutSnapshots.stderr, /there are no snapshots to suggest a mapping for/)
})

test('a database that cannot be read is named when a mapping is to be suggested', async (t) => {
  await using folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  const cut = foreignObjects(paths, folder.path).map(({ key, bytes }) => ({
    key,
    bytes: key.includes('/export/') ? bytes.subarray(0, 4096) : bytes,
  }))
  writeObjects(destination, cut)
  const { stderr } = await inspect(folder.path, join(destination, foreignRepository), '--suggest')
  t.regex(stderr, /export\/snap\.4: database disk image is malformed/)
})

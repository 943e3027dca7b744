import { existsSync } from 'node:fs'
import { chmod, link, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { OwnerFile, type Ownership } from '../../src/destination/ownership.ts'
import { takeOver } from '../../src/destination/takeover.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { jbfsProgram, temporaryFolder } from '../support/mounted.ts'
import { runJbfs, runText, type TextResult } from '../support/run-jbfs.ts'

/** `jbfs import` as a user types it, into a folder. */

/** Root, to whom permissions apply as to anybody else. */
const withoutOverride =
  process.getuid?.() === 0 ? ['/usr/bin/setpriv', '--bounding-set=-dac_override,-dac_read_search'] : []

function runImport(
  folder: string,
  source: string,
  repository: string,
  { temporary = folder, more = [] }: { readonly temporary?: string; readonly more?: readonly string[] } = {},
): Promise<TextResult> {
  const own = ['--cache-dir', join(folder, 'cache'), '--state-dir', join(folder, 'state')]
  return runJbfs(['import', source, repository, ...own, ...more], { cwd: folder, env: { TMPDIR: temporary } })
}

test('a repository that is the source, or lies in it, is refused before anything is made', async (t) => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'account'))
  for (const repository of [
    './account',
    './account/snap.3',
    './account/deep/er',
    `${folder.path}/account/x`,
  ]) {
    const { code, stderr } = await runImport(folder.path, 'account', repository)
    t.is(code, 2, repository)
    t.regex(stderr, /is or lies in what is to be imported/)
  }
  t.deepEqual(await readdir(folder.path), ['account'])
  t.deepEqual(await readdir(join(folder.path, 'account')), [])
})

test('what cannot be imported has an exit code of its own, and makes nothing at the destination', async (t) => {
  await using folder = await temporaryFolder()
  const none = await runImport(folder.path, 'none', './destination/account')
  t.is(none.code, 7)
  t.regex(none.stderr, /^jbfs: there is nothing to import at \/[^\n]+: there is no such file or folder\n$/)
  t.deepEqual(await readdir(folder.path), [])
  await writeFile(join(folder.path, 'broken.tar.gz'), 'hello')
  const broken = await runImport(folder.path, 'broken.tar.gz', './destination/account')
  t.is(broken.code, 7)
  t.regex(broken.stderr, /cannot be unpacked/)
})

test('a snapshot that exists is refused before an archive is unpacked', async (t) => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'account'))
  t.is((await runImport(folder.path, 'account', './destination/account/snap.1')).code, 0)
  await writeFile(join(folder.path, 'broken.tar'), 'hello')
  const { code, stderr } = await runImport(folder.path, 'broken.tar', './destination/account/snap.1')
  t.is(code, 2)
  t.regex(stderr, /snap\.1 exists already/)
})

test('a file is counted once for each of its names, a symlink to the source is followed', async (t) => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'account/a'), { recursive: true })
  await mkdir(join(folder.path, 'account/b'))
  await writeFile(join(folder.path, 'account/a/file'), 'content')
  await link(join(folder.path, 'account/a/file'), join(folder.path, 'account/a/again'))
  await link(join(folder.path, 'account/a/file'), join(folder.path, 'account/b/else'))
  await symlink('account', join(folder.path, 'link'))
  const { code, stderr } = await runImport(folder.path, 'link', './destination/account/snap.1')
  t.is(code, 0, stderr)
  const manifest = await readFile(join(folder.path, 'destination/account/snap.1/jetbackup.index'), 'utf8')
  t.like(JSON.parse(manifest), {
    items: [
      { path: 'a', files: 2, size: 14 },
      { path: 'b', files: 1, size: 7 },
    ],
    jbfs: { files: 1, folders: 3, bytes: 7 },
  })
})

test('what another snapshot has is not sent again', async (t) => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'account'))
  await writeFile(join(folder.path, 'account/large'), Buffer.alloc(5 << 20, 'x'))
  await writeFile(join(folder.path, 'account/small'), 'x')
  for (const [sent, reused] of [
    [2, 0],
    [0, 2],
  ]) {
    const { code, stdout } = await runImport(folder.path, 'account', './destination/account')
    t.is(code, 0)
    t.regex(stdout, new RegExp(`sent ${sent} .*, reused ${reused};`))
  }
  t.is((await readdir(join(folder.path, 'destination/account/files'))).length, 2)
})

test('without a place for temporary files one line says what to set, for a folder as for an archive', async (t) => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'account'))
  await writeFile(join(folder.path, 'archive.tar'), '')
  const missing = join(folder.path, 'none')
  for (const source of ['account', 'archive.tar']) {
    const { code, stderr } = await runImport(folder.path, source, './destination/account', {
      temporary: missing,
    })
    t.is(code, 1)
    t.regex(stderr, /^jbfs: no temporary folder can be made in \S+\/none: set TMPDIR [^\n]+\n$/)
  }
})

test('a place that plainly is none for a repository is refused before anything is made', async (t) => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'account'))
  t.is((await runImport(folder.path, 'account', './destination/job/account/snap.1')).code, 0)
  await mkdir(join(folder.path, 'owned'))
  await writeFile(join(folder.path, 'owned/jetbackup.owner'), '{}')
  const inFolder = (name: string): string => join(folder.path, name)
  const misplaced = {
    destination: `destination is no repository, it holds job and no snapshots: say ${inFolder('destination')}/<repository>`,
    'destination/job/snap.2': `say ${inFolder('destination/job')}/<repository>`,
    owned: 'it holds jetbackup.owner and no snapshots',
    'destination/job/account/files/deep/x': `part of the repository ${inFolder('destination/job/account')}: say `,
    'destination/job/account/snap.1/x': 'nothing can lie in a snapshot',
    'destination/job/account/snapshot5': 'snapshot5 is no snapshot',
  }
  const before = await readdir(folder.path, { recursive: true })
  for (const [place, said] of Object.entries(misplaced)) {
    const { code, stderr } = await runImport(folder.path, 'account', `./${place}`)
    t.is(code, 2, place)
    t.true(stderr.includes(said), stderr)
    t.is(stderr.split('\n').length, 2, 'one line')
  }
  t.deepEqual(await readdir(folder.path, { recursive: true }), before)
})

test('an empty folder, and a repository whose first import was interrupted, are places for a repository', async (t) => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'account'))
  await mkdir(join(folder.path, 'empty'))
  await mkdir(join(folder.path, 'files/interrupted/files'), { recursive: true })
  for (const place of ['./empty', './files/interrupted', './files/interrupted']) {
    const { code, stderr } = await runImport(folder.path, 'account', place)
    t.is(code, 0, stderr)
  }
})

test('the folder around the repository gets an owner, and no other server may write anywhere below', async (t) => {
  await using folder = await temporaryFolder()
  const { path } = folder
  await mkdir(join(path, 'account'))
  t.is((await runImport(path, 'account', './destination/web/account')).code, 0)
  const owner = JSON.parse(await readFile(join(path, 'destination/web/jetbackup.owner'), 'utf8'))
  t.is(`${owner.owner.id}\n`, await readFile(join(path, 'state/server-id'), 'utf8'))
  t.is(owner.lease, null)
  const made = ['destination/web/account', 'destination/web/deep/er']
  for (const repository of made) {
    const { code, stderr } = await runImport(path, 'account', `./${repository}`, {
      more: ['--state-dir', 'other'],
    })
    t.is(code, 8, repository)
    t.regex(stderr, /destination\/web belongs to .*, last heard of .*--read-only/)
    t.is((await runImport(path, 'account', `./${repository}`)).code, 0, repository)
  }
  t.deepEqual(
    (await readdir(path, { recursive: true })).filter((name) => /owner$/.test(name)),
    ['destination/web/jetbackup.owner'],
  )
})

test('a state folder that cannot be used is said in a line', async (t) => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'account'))
  await writeFile(join(folder.path, 'file'), '')
  const { code, stderr } = await runImport(folder.path, 'account', './d/account', {
    more: ['--state-dir', 'file'],
  })
  t.is(code, 1)
  t.regex(stderr, /^jbfs: the state folder cannot be used: [^\n]+\n$/)
})

test('an import whose destination is taken over meanwhile publishes nothing', async (t) => {
  await using folder = await temporaryFolder()
  const { path } = folder
  await mkdir(join(path, 'account'))
  // As much as takes longer than the takeover, and less than a renewal is apart from the next.
  await writeFile(join(path, 'account/large'), Buffer.alloc(128 << 20, 'x'))
  const importing = runImport(path, 'account', './web/account/snap.1')
  const file = new OwnerFile(new DirectoryStore(join(path, 'web')))
  const found = await untilOwned(file)
  t.true(await takeOver(file, { id: 'another', host: 'web2', name: 'web2' }, found))
  const { code, stderr } = await importing
  t.is(code, 8, stderr)
  t.regex(stderr, /the right to write to \S+\/web is lost: web2 has taken it/)
  t.false((await readdir(join(path, 'web/account'))).includes('snap.1'))
})

/** As soon as somebody owns it. */
async function untilOwned(file: OwnerFile): Promise<Ownership> {
  for (;;) {
    const found = await file.read().catch(() => undefined)
    if (found?.record.lease !== undefined) return found
    await delay(5)
  }
}

const permissionTest = process.getuid?.() === 0 && !existsSync('/usr/bin/setpriv') ? test.skip : test

permissionTest('who may not write around the repository is told what that is for', async (t) => {
  await using folder = await temporaryFolder()
  const { path } = folder
  await mkdir(join(path, 'account'))
  await mkdir(join(path, 'shared/repository'), { recursive: true })
  await chmod(join(path, 'shared'), 0o555)
  try {
    const { code, stderr } = await runText(
      [
        ...withoutOverride,
        ...[process.execPath, jbfsProgram, 'import', 'account', './shared/repository'],
        ...['--cache-dir', join(path, 'cache'), '--state-dir', join(path, 'state')],
      ],
      { cwd: path, env: { TMPDIR: path } },
    )
    t.is(code, 3, stderr)
    t.regex(
      stderr,
      /jetbackup.owner: no permission: the backup directory is the folder around the repository, /,
    )
    t.regex(stderr, /name a repository in a folder of your own\n$/)
  } finally {
    await chmod(join(path, 'shared'), 0o755)
  }
})

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Logger, silentLogger } from '../../src/base/log.ts'
import { ArchiveSource } from '../../src/import/archive-source.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'

const { signal } = new AbortController()

/** Where archives are unpacked is told by the environment: one test at a time. */
const it = test.serial
const before = { TMPDIR: process.env.TMPDIR, PATH: process.env.PATH }
test.afterEach.always(() => {
  for (const [name, value] of Object.entries(before))
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
})

/** A folder, and in it another one for what is unpacked. */
async function prepare(t: ExecutionContext): Promise<{ folder: string; unpacking: string }> {
  const folder = await temporaryFolder(t)
  const unpacking = join(folder, 'unpacking')
  await mkdir(unpacking)
  process.env.TMPDIR = unpacking
  return { folder, unpacking }
}

/** A program that is called instead of tar. */
async function replaceTar(folder: string, script: string): Promise<void> {
  await writeFile(join(folder, 'tar'), `#!/bin/sh\n${script}\n`)
  await chmod(join(folder, 'tar'), 0o755)
  process.env.PATH = `${folder}:${process.env.PATH}`
}

async function namesOf(archive: string): Promise<string[]> {
  await using source = await ArchiveSource.open(archive, { logger: silentLogger, signal })
  const entries = await Array.fromAsync(source.entries({ signal }))
  return entries.map(({ path }) => path.join('/'))
}

const layouts: readonly (readonly [what: string, files: readonly string[], names: readonly string[]])[] = [
  ['the backup of a download', ['backup/homedir/a', 'log/b'], ['', 'homedir', 'homedir/a']],
  ['the only folder', ['account/x/a'], ['', 'x', 'x/a']],
  ['the only item folder stays', ['homedir/a'], ['', 'homedir', 'homedir/a']],
  ['several folders', ['x/a', 'y/b'], ['', 'x', 'x/a', 'y', 'y/b']],
  ['an only folder whose name is not UTF-8', ['\xff/a'], ['', 'a']],
]
for (const [what, files, names] of layouts)
  it(`the top of an archive: ${what}`, async (t) => {
    const { folder } = await prepare(t)
    const tree = Buffer.from(join(folder, 'tree/'))
    for (const file of files) {
      const path = Buffer.concat([tree, Buffer.from(file, 'latin1')])
      await mkdir(path.subarray(0, path.lastIndexOf('/')), { recursive: true })
      await writeFile(path, 'x')
    }
    const archive = join(folder, 'archive.tar')
    execFileSync('sh', ['-c', 'cd "$1" && tar -cf "$2" *', 'sh', tree.toString(), archive])
    t.deepEqual(await namesOf(archive), names)
  })

it('an archive cannot open the folder it is unpacked in to others', async (t) => {
  const { folder, unpacking } = await prepare(t)
  await mkdir(join(folder, 'tree'))
  await chmod(join(folder, 'tree'), 0o777)
  const archive = join(folder, 'archive.tar')
  execFileSync('tar', ['-cf', archive, '-C', join(folder, 'tree'), '.'])
  await using source = await ArchiveSource.open(archive, { logger: silentLogger, signal })
  const [name = ''] = await readdir(unpacking)
  t.is((await stat(join(unpacking, name))).mode & 0o777, 0o700)
  const [top] = await Array.fromAsync(source.entries({ signal }))
  t.is((top?.inode.mode ?? 0) & 0o777, 0o777)
})

/** Keeps what tar is said to have remarked. */
function remarksLogger(): { logger: Logger; remarks: unknown[] } {
  const remarks: unknown[] = []
  const warn: Logger['warn'] = (fields) => 'tar' in fields && remarks.push(fields.tar)
  return { logger: { ...silentLogger, warn }, remarks }
}

const lost = "tar: file: Cannot set 'user.x' extended attribute for file 'file': Operation not supported"

it('attributes that are lost are logged', async (t) => {
  const { folder, unpacking } = await prepare(t)
  await replaceTar(folder, `echo "${lost}" >&2`)
  const { logger, remarks } = remarksLogger()
  await using _source = await ArchiveSource.open(join(folder, 'archive.tar'), { logger, signal })
  t.deepEqual(remarks, [lost])
  t.is((await readdir(unpacking)).length, 1)
})

it('times in the future, very old ones, unknown keywords and absolute names are not worth a word', async (t) => {
  const { folder } = await prepare(t)
  const tree = join(folder, 'tree')
  await mkdir(tree)
  for (const [name, year] of Object.entries({ future: 2100, old: 1950 })) {
    await writeFile(join(tree, name), 'x')
    execFileSync('touch', ['--date', `${year}-01-01`, join(tree, name)])
  }
  const archive = join(folder, 'archive.tar')
  execFileSync('tar', ['-cPf', archive, '--format=pax', '--pax-option=JBFS.test=x', tree], {
    stdio: 'ignore',
  })
  const { logger, remarks } = remarksLogger()
  await using _source = await ArchiveSource.open(archive, { logger, signal })
  t.deepEqual(remarks, [])
})

it('why tar failed is told, however many lost attributes it has told of before', async (t) => {
  const { folder } = await prepare(t)
  const error = 'tar: other: Cannot open: No space left on device'
  await replaceTar(
    folder,
    `for n in $(seq 100); do echo "${lost}" >&2; done; for n in 1 2 3; do echo "${error}" >&2; done; exit 2`,
  )
  await t.throwsAsync(namesOf('/archive.tar'), {
    code: 'bad-source',
    message: `/archive.tar cannot be unpacked: ${error} · ${error} · 1 more`,
  })
})

it('an archive that is none is a bad source, and leaves nothing', async (t) => {
  const { folder, unpacking } = await prepare(t)
  await writeFile(join(folder, 'archive.tar'), 'hello')
  await t.throwsAsync(namesOf(join(folder, 'archive.tar')), { code: 'bad-source', message: /tar: / })
  t.deepEqual(await readdir(unpacking), [])
})

it('without tar the source is bad', async (t) => {
  const { folder } = await prepare(t)
  process.env.PATH = folder
  await t.throwsAsync(namesOf('/dev/null'), { code: 'bad-source', message: /ENOENT/ })
})

it('an interrupted unpacking is over when tar has ended', async (t) => {
  const { folder, unpacking } = await prepare(t)
  const done = join(folder, 'done')
  await replaceTar(
    folder,
    `trap 'sleep 0.3; touch ${done}; exit 1' TERM; touch ${done}.begun; while :; do sleep 0.05; done`,
  )
  const controller = new AbortController()
  const reason = new Error('enough')
  const opening = ArchiveSource.open('/archive.tar', { logger: silentLogger, signal: controller.signal })
  while (!existsSync(`${done}.begun`)) await new Promise((resolve) => setTimeout(resolve, 10))
  controller.abort(reason)
  await t.throwsAsync(opening, { is: reason })
  t.true(existsSync(done))
  t.deepEqual(await readdir(unpacking), [])
})

import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { type SampleSummary, writeSampleAccount } from '../../src/sample/sample-account.ts'
import { type InventoryEntry, inventory } from '../support/inventory.ts'
import { temporaryFolder } from '../support/mounted.ts'

const caseFolder = 'homedir/hard-cases'

/** A sample with the hard cases, looked at by all tests below and written once. */
let sample: {
  readonly path: string
  readonly summary: SampleSummary
  readonly entries: ReadonlyMap<string, InventoryEntry>
}
let folder: Awaited<ReturnType<typeof temporaryFolder>>

test.before(async () => {
  folder = await temporaryFolder()
  const path = join(folder.path, 'account')
  const summary = await writeSampleAccount(path, { files: 400, seed: 7 })
  sample = { path, summary, entries: inventory(path) }
})
test.after.always(() => folder?.[Symbol.asyncDispose]())

/** The inodes of a hard case by their path in its folder, or undefined, said aloud, where it cannot be made. */
function hardCase(t: ExecutionContext, name: string): Map<string, InventoryEntry> | undefined {
  const skipped = sample.summary.skipped.find((one) => one.name === name)
  const prefix = `./${caseFolder}/${name}`
  if (skipped !== undefined) {
    t.log(`skipped: ${name} (${skipped.reason})`)
    t.false(sample.entries.has(prefix), 'nothing is left of it')
    return undefined
  }
  t.true(sample.entries.has(prefix), name)
  const inside = [...sample.entries.values()].filter(({ path }) => path.startsWith(`${prefix}/`))
  return new Map(inside.map((entry) => [entry.path.slice(prefix.length + 1), entry]))
}

/** The inodes that are not as the sample has them, both ways. */
function differences(entries: ReadonlyMap<string, InventoryEntry>): unknown[] {
  const paths = new Set([...entries.keys(), ...sample.entries.keys()])
  return [...paths]
    .map((path) => [entries.get(path), sample.entries.get(path)])
    .filter(([one, other]) => !isDeepStrictEqual(one, other))
}

test('the same seed makes the same tree, another seed another', async (t) => {
  await using other = await temporaryFolder()
  await writeSampleAccount(join(other.path, 'same'), { files: 400, seed: 7 })
  t.deepEqual(differences(inventory(join(other.path, 'same'))), [])
  const different = await writeSampleAccount(join(other.path, 'different'), { files: 400, seed: 8 })
  t.not(different.account, sample.summary.account)
})

test('the umask does not count', async (t) => {
  await using other = await temporaryFolder()
  const before = process.umask(0o077)
  try {
    await writeSampleAccount(join(other.path, 'same'), { files: 400, seed: 7 })
  } finally {
    process.umask(before)
  }
  t.deepEqual(differences(inventory(join(other.path, 'same'))), [])
})

test('the folders are those of a cPanel account, and jetbackup.index names them', (t) => {
  const manifest = JSON.parse(readFileSync(join(sample.path, 'jetbackup.index'), 'utf8'))
  t.is(manifest.account, sample.summary.account)
  t.false(manifest.suspended)
  const paths = manifest.items.map(({ path }: { path: string }) => path)
  t.deepEqual([...paths, 'jetbackup.index'].sort(), readdirSync(sample.path).sort())
  const { account } = sample.summary
  const present = [
    'homedir/public_html/wp-config.php',
    `email/${account}.example/info/cur`,
    `email/${account}.example/info/new`,
    `email/${account}.example/info/tmp`,
    `database_user/${account}_wp.user`,
    `ftp/${account}.acct`,
    `domain/${account}.example.zone`,
    `config/cp/${account}`,
    'config/meta/homedir_paths',
    `config/dnszones/${account}.example.db`,
    `jetbackup.configs/domain/${account}.example.conf`,
    `cronjob/${account}`,
  ]
  for (const path of present) t.true(existsSync(join(sample.path, path)), path)
  const dump = gunzipSync(readFileSync(join(sample.path, `database/${account}_wp.sql.gz`)))
  t.regex(dump.toString(), /^-- MySQL dump/)
  const conf = readFileSync(join(sample.path, `jetbackup.configs/domain/${account}.example.conf`), 'utf8')
  t.is(Buffer.from(JSON.parse(conf).domain, 'base64').toString(), `${account}.example`)
})

test('the root was changed when the backup was made, to the second', (t) => {
  const { created } = JSON.parse(readFileSync(join(sample.path, 'jetbackup.index'), 'utf8'))
  t.true(Number.isSafeInteger(created))
  t.is(lstatSync(sample.path, { bigint: true }).mtimeNs, BigInt(created) * 1_000_000_000n)
})

test('the summary counts what is there', (t) => {
  const entries = [...sample.entries.values()]
  const files = entries.filter(({ sha256 }) => sha256 !== undefined)
  t.is(sample.summary.files, files.length)
  t.is(sample.summary.bytes, Number(files.reduce((sum, { size }) => sum + (size ?? 0n), 0n)))
  const folders = entries.filter(({ mode }) => mode.startsWith('4'))
  t.is(sample.summary.folders, folders.length - 1, 'all but the top one')
})

test('about as many files are written as asked for', async (t) => {
  await using other = await temporaryFolder()
  const seen: number[] = []
  const onProgress = (files: number): number => seen.push(files)
  const summary = await writeSampleAccount(join(other.path, 'plain'), {
    files: 1_000,
    hardCases: false,
    onProgress,
  })
  t.true(summary.files > 950 && summary.files < 1_050, String(summary.files))
  t.deepEqual(summary.skipped, [])
  t.false(existsSync(join(other.path, 'plain', caseFolder)))
  t.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  )
  t.is(seen.at(-1), summary.files)
})

test('hard case: names', (t) => {
  const bytes = hardCase(t, 'names-not-utf8')
  if (bytes !== undefined)
    for (const name of ['\x80', '\xfe', '\xff', '\xed\xa0\x80', 'caf\xe9/caf\xe9.txt'])
      t.true(bytes.has(name), JSON.stringify(name))
  const long = hardCase(t, 'names-long')
  if (long !== undefined) t.true([...long.keys()].every((name) => name.length === 255))
  const odd = hardCase(t, 'names-odd')
  for (const name of [' leading and trailing space ', 'new\nline', '\n', '-rf'])
    if (odd !== undefined) t.true(odd.has(name), name)
  hardCase(t, 'names-alike')
})

test('hard case: empty files and folders', (t) => {
  const entries = hardCase(t, 'empty')
  t.is(entries?.get('file')?.size, 0n)
  t.true(entries?.has('folder/folder'))
})

test('hard case: hard links, across folders too', (t) => {
  const entries = hardCase(t, 'hard-links')
  if (entries === undefined) return
  const first = `./${caseFolder}/hard-links/one/first`
  t.is(entries.get('one/second')?.linkedTo, first)
  t.is(entries.get('two/third')?.linkedTo, first)
  t.not(entries.get('two/symlink')?.linkedTo, undefined)
})

test('hard case: symlinks', (t) => {
  const entries = hardCase(t, 'symlinks')
  t.is(entries?.get('relative')?.target, 'folder/file')
  t.is(entries?.get('absolute')?.target, '/etc/hostname')
  t.is(entries?.get('dangling')?.target, 'no/such/file')
  t.true((entries?.get('long')?.target?.length ?? 0) > 1_000)
  const bytes = hardCase(t, 'symlink-target-not-utf8')
  if (bytes !== undefined) t.is(bytes.get('link')?.target, 'caf\xe9')
})

test('hard case: FIFO and device', (t) => {
  const fifo = hardCase(t, 'fifo')
  if (fifo !== undefined) t.is(fifo.get('fifo')?.mode, '10640')
  const device = hardCase(t, 'character-device')
  if (device !== undefined) t.is(device.get('null')?.device, 0x103n)
})

test('hard case: modes and owners', (t) => {
  const modes = hardCase(t, 'modes')
  if (modes !== undefined)
    for (const mode of ['4755', '2755', '1644']) t.is(modes.get(`file-${mode}`)?.mode, `10${mode}`)
  const owners = hardCase(t, 'owners')
  if (owners !== undefined) {
    t.is(owners.get('file-3000000000')?.uid, 3_000_000_000n)
    t.is(owners.get('symlink-1001')?.gid, 1_001n)
    t.is(owners.get('user-and-group-differ')?.gid, 12n)
  }
})

test('hard case: times', (t) => {
  const nanoseconds = hardCase(t, 'nanoseconds')
  if (nanoseconds !== undefined)
    for (const kind of ['file', 'folder', 'symlink'])
      t.is((nanoseconds.get(`${kind}-some`)?.mtime ?? 0n) % 1_000_000_000n, 123_456_789n, kind)
  const before = hardCase(t, 'before-1970')
  if (before !== undefined) t.is(before.get('file-a-nanosecond')?.mtime, -1n)
  const after = hardCase(t, 'after-2038')
  if (after !== undefined) t.is(after.get('folder-2106')?.mtime, 2n ** 32n * 1_000_000_000n + 250_000_000n)
})

test('hard case: attributes and ACLs', (t) => {
  const value = (entry: InventoryEntry | undefined, name: string): string | undefined =>
    entry?.xattrs.find(([one]) => one === name)?.[1]
  const user = hardCase(t, 'xattrs')
  if (user !== undefined) {
    t.regex(value(user.get('file'), 'user.binary') ?? '', /^000102.*feff$/)
    t.is(value(user.get('folder'), 'user.empty'), '')
  }
  const large = hardCase(t, 'xattr-large')
  if (large !== undefined) t.is(value(large.get('file'), 'user.large')?.length, 7_000)
  const bytes = hardCase(t, 'xattr-name-not-utf8')
  if (bytes !== undefined) t.is(value(bytes.get('file'), 'user.caf\xe9'), 'e9')
  const trusted = hardCase(t, 'xattrs-trusted')
  if (trusted !== undefined) t.is(value(trusted.get('symlink'), 'trusted.jbfs.sample')?.length, 512)
  const acls = hardCase(t, 'posix-acls')
  if (acls !== undefined) {
    t.is(acls.get('file')?.mode, '100660')
    t.regex(value(acls.get('file'), 'system.posix_acl_access') ?? '', /^02000000/)
    t.regex(value(acls.get('folder'), 'system.posix_acl_default') ?? '', /^02000000/)
  }
})

test('hard case: sparse files take little disk', (t) => {
  const path = (name: string): string => join(sample.path, caseFolder, name)
  if (hardCase(t, 'sparse') !== undefined) {
    t.is(lstatSync(path('sparse/islands')).size, 16 << 20)
    t.true(lstatSync(path('sparse/islands')).blocks * 512 < 1 << 20)
  }
  const large = hardCase(t, 'sparse-large')
  if (large !== undefined) {
    t.is(large.get('5-gib')?.size, 5n << 30n)
    t.true(lstatSync(path('sparse-large/5-gib')).blocks * 512 < 1 << 20)
  }
})

test('a folder that is not empty is left alone', async (t) => {
  await using other = await temporaryFolder()
  writeFileSync(join(other.path, 'mine'), '')
  await t.throwsAsync(writeSampleAccount(other.path, { files: 10 }), { code: 'not-empty' })
  t.deepEqual(readdirSync(other.path), ['mine'])
})

test('an abort leaves nothing', async (t) => {
  await using other = await temporaryFolder()
  chmodSync(other.path, 0o750)
  const aborter = new AbortController()
  const reason = new Error('enough')
  const onProgress = (files: number): void => {
    if (files > 300) aborter.abort(reason)
  }
  const { signal } = aborter
  const written = writeSampleAccount(other.path, { files: 1_000, onProgress, signal })
  t.is(await t.throwsAsync(written), reason)
  t.deepEqual(readdirSync(other.path), [])
  const before = writeSampleAccount(join(other.path, 'new'), { files: 1_000, signal })
  t.is(await t.throwsAsync(before), reason)
  t.deepEqual(readdirSync(other.path), [])
})

test('numbers that make no sense are refused', async (t) => {
  await using other = await temporaryFolder()
  for (const options of [{ files: Number.NaN }, { files: -1 }, { seed: 1.5 }])
    await t.throwsAsync(writeSampleAccount(join(other.path, 'new'), options), { code: 'bad-option' })
  t.deepEqual(readdirSync(other.path), [])
})

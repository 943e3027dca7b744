import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { mountAt } from '../../src/base/mountinfo.ts'
import { settingsFiles } from '../../src/cli/settings-files.ts'
import { randomKey } from '../destination/settings/settings.ts'
import { temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { run } from '../support/run.ts'
import { runJbfs, type TextResult } from '../support/run-jbfs.ts'
import { availableS3Servers, type S3Server, startS3Server, whyNoS3 } from '../support/s3-server.ts'
import { testUnless } from '../support/test-unless.ts'

/** Destinations of a settings file, as a user names them in commands. */

interface Place {
  readonly folder: string
  readonly config: string
  jbfs(...args: string[]): Promise<TextResult>
}

async function placeIn(folder: string, settings: string): Promise<Place> {
  const config = join(folder, 'destinations.toml')
  await writeFile(config, settings, { mode: 0o600 })
  const env = { HOME: folder, XDG_CONFIG_HOME: undefined }
  return { folder, config, jbfs: (...args) => runJbfs([...args, '--config', config], { cwd: folder, env }) }
}

const offsite = `
[offsite]
vendor = "minio"
endpoint = "http://127.0.0.1:1"
bucket = "backups-7"
backup_directory = "/web"
http_retries = 0
`

async function oneLine(
  t: ExecutionContext,
  result: Promise<TextResult>,
  line: string | RegExp,
): Promise<void> {
  const { code, stdout, stderr } = await result
  t.is(stdout, '')
  t.is(code, 2, stderr)
  if (typeof line === 'string') t.is(stderr, `jbfs: ${line}\n`)
  else t.regex(stderr, line)
}

test('root has the settings of the system, a user his own before those', (t) => {
  const env = { HOME: '/home/ann' }
  t.deepEqual(
    settingsFiles(undefined, { env, isRoot: true }).map(({ path }) => path),
    ['/etc/jbfs/destinations.toml'],
  )
  t.deepEqual(settingsFiles(undefined, { env, isRoot: false }), [
    { path: '/home/ann/.config/jbfs/destinations.toml', passedOver: ['ENOENT'] },
    { path: '/etc/jbfs/destinations.toml', passedOver: ['ENOENT', 'EACCES'] },
  ])
  t.deepEqual(
    settingsFiles(undefined, { env: { XDG_CONFIG_HOME: '/x' }, isRoot: false })[0]?.path,
    '/x/jbfs/destinations.toml',
  )
  t.deepEqual(settingsFiles('/s.toml', { env, isRoot: false }), [{ path: '/s.toml', passedOver: [] }])
})

test('a name wins over a folder of the working folder, ./ tells them apart', async (t) => {
  await using folder = await temporaryFolder()
  const { jbfs } = await placeIn(folder.path, offsite)
  await mkdir(join(folder.path, 'offsite'))
  t.is((await jbfs('snapshots', './offsite')).code, 0)
  const { code, stderr } = await jbfs('snapshots', 'offsite')
  t.is(code, 3)
  t.regex(stderr, /^jbfs: s3:\/\/backups-7\/web: /)
  t.notRegex(stderr, /AWS_/)
  t.regex(stderr, /jbfs destination edit offsite .*; see jbfs destination test offsite\n$/)
})

test('a slip in the name of a folder that is here is told', async (t) => {
  await using folder = await temporaryFolder()
  const { jbfs } = await placeIn(folder.path, offsite)
  await mkdir(join(folder.path, 'localdest'))
  await oneLine(
    t,
    jbfs('snapshots', 'localdset'),
    /there is no folder "localdset" here \(did you mean localdest\?\)/,
  )
})

test('a word that is no name is a line with those there are, in all commands', async (t) => {
  await using folder = await temporaryFolder()
  const { jbfs } = await placeIn(folder.path, offsite)
  await mkdir(join(folder.path, 'account'))
  const line =
    'there is no folder "ofsite" here (did you mean offsite?); a destination is a folder (/path, ./path, file:///path) ' +
    'or s3://bucket/path, or one of the settings: offsite'
  await oneLine(t, jbfs('snapshots', 'ofsite'), line)
  await oneLine(t, jbfs('mount', 'ofsite', '/tmp'), line)
  await oneLine(t, jbfs('import', 'account', 'ofsite/account/snap.3'), line)
})

test('options that belong to a place are refused for a name', async (t) => {
  await using folder = await temporaryFolder()
  const { jbfs, config } = await placeIn(folder.path, offsite)
  for (const [option, value] of [
    ['--endpoint', '=https://s3.example.com'],
    ['--region', '=eu'],
    ['--addressing', '=path'],
    ['--ca-file', '=/etc/hosts'],
    ['--verify-ssl', ''],
  ] as const)
    await oneLine(
      t,
      jbfs('snapshots', 'offsite', `${option}${value}`),
      `${option} is not for offsite, whose settings are in ${config}: change it there (jbfs destination edit offsite)`,
    )
  t.is((await jbfs('snapshots', 'offsite', '--http-retries=0', '--max-concurrency=2')).code, 3)
  await oneLine(
    t,
    jbfs('snapshots', 'offsite', '--max-concurrency=0'),
    '--max-concurrency is a whole number, 1 or more',
  )
})

test('a file that the settings name and that is missing is a line', async (t) => {
  await using folder = await temporaryFolder()
  for (const [field, line] of [
    ['ca_file', `destinations.toml: [offsite] ca_file cannot be read: there is no such file or folder\n`],
    ['keys_file', `none: cannot be read: there is no such file or folder\n`],
  ] as const) {
    const { jbfs } = await placeIn(folder.path, `${offsite}${field} = "none"\n`)
    const { code, stderr } = await jbfs('snapshots', 'offsite')
    t.is(code, 2)
    t.true(stderr.startsWith(`jbfs: ${folder.path}/${line}`), stderr)
    t.is(stderr.split('\n').length, 2)
  }
})

test('nothing is imported into a destination that is only read', async (t) => {
  await using folder = await temporaryFolder()
  const { jbfs } = await placeIn(folder.path, `${offsite}read_only = true\n`)
  await mkdir(join(folder.path, 'account'))
  await oneLine(
    t,
    jbfs('import', 'account', 'offsite/account'),
    'nothing is written to offsite: its settings say read_only = true, as another server or destination may write there',
  )
})

test('all that is wrong with the settings is told, a line each; a place needs none', async (t) => {
  await using folder = await temporaryFolder()
  const { jbfs, config } = await placeIn(
    folder.path,
    '[offsite]\nvendor = "minio"\nbucket = "b-7"\nregoin = "x"\n',
  )
  const { code, stderr } = await jbfs('mount', 'offsite', '/tmp')
  t.is(code, 2)
  t.deepEqual(
    stderr.split('\n').map((line) => line.split(' ').slice(0, 5).join(' ')),
    [
      `jbfs: ${config}: [offsite] regoin is`,
      `jbfs: ${config}: [offsite] backup_directory is`,
      `jbfs: ${config}: [offsite] endpoint is`,
      '',
    ],
  )
  t.is((await jbfs('snapshots', folder.path)).code, 0)
})

/** Imported, listed, and mounted in the background under its name, with the keys of `keysOf`. */
async function everyday(
  t: ExecutionContext,
  server: S3Server,
  endpoint: string,
  keysOf: (folder: string) => Promise<string>,
): Promise<void> {
  await using folder = await temporaryFolder()
  const { path } = folder
  const bucket = await server.createBucket()
  const { jbfs } = await placeIn(
    path,
    `[offsite]\nvendor = "minio"\nendpoint = "${endpoint}"\nbucket = "${bucket}"\n` +
      `backup_directory = "/web"\nowner = "our-server"\n${await keysOf(path)}`,
  )
  await mkdir(join(path, 'account'))
  await mkdir(join(path, 'mnt'))
  await writeFile(join(path, 'account/notes.txt'), 'kept\n')
  const common = ['--log-level', 'debug', '--cache-dir', join(path, 'cache')]
  const seen: string[] = []
  const ran = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await jbfs(...args)
    t.is(code, 0, stderr)
    seen.push(stdout, stderr)
    return stdout
  }
  try {
    t.regex(
      await ran('import', 'account', 'offsite/ann/snap.3', ...common, '--state-dir', join(path, 'state')),
      new RegExp(`^s3://${bucket}/web/ann/snap\\.3: 1 files`),
    )
    const other = await jbfs(
      'import',
      'account',
      'offsite/bob',
      ...common,
      '--state-dir',
      join(path, 'other'),
    )
    t.is(other.code, 8)
    t.regex(
      other.stderr,
      /\/web belongs to our-server \(.+\), last heard of .*--read-only.*: jbfs destination takeover offsite$/m,
    )
    seen.push(other.stdout, other.stderr)
    t.regex(await ran('snapshots', 'offsite', '--log-level', 'debug'), /ann +snap\.3 .* ok/)
    const log = join(path, 'mount.log')
    await ran('mount', 'offsite/ann', 'mnt', ...common, '--log-file', log)
    t.is(await readFile(join(path, 'mnt/snap.3/notes.txt'), 'utf8'), 'kept\n')
    t.regex(
      (await runJbfs(['status', join(path, 'mnt')])).stdout,
      new RegExp(`destination +offsite/ann \\(s3://${bucket}/web/ann\\)\n`),
    )
    const { stdout } = await runJbfs(['status', join(path, 'mnt'), '--json'])
    const commandLine = await readFile(`/proc/${JSON.parse(stdout)[0].status.pid}/cmdline`, 'utf8')
    t.true(commandLine.includes('offsite/ann'), commandLine)
    seen.push(stdout, commandLine)
    t.is((await runJbfs(['umount', join(path, 'mnt')])).code, 0)
    seen.push(await readFile(log, 'utf8'))
    for (const key of [server.accessKeyId, server.secretAccessKey])
      t.false(seen.some((text) => text.includes(key)))
  } finally {
    while (mountAt(join(path, 'mnt')) !== undefined)
      await run('umount', ['-l', '-c', '-i', join(path, 'mnt')])
  }
}

const keysIn = ({ accessKeyId, secretAccessKey }: S3Server): string =>
  `access_key = "${accessKeyId}"\nsecret_key = "${secretAccessKey}"\n`

const [serverName = 'S3'] = availableS3Servers()

for (const [title, path, keysOf] of [
  ['in the settings', '', (server: S3Server) => async () => keysIn(server)],
  [
    'in a file of their own, and the bucket in the endpoint',
    '/{bucket}',
    (server: S3Server) => async (folder: string) => {
      await writeFile(join(folder, 'keys'), keysIn(server), { mode: 0o600 })
      return 'keys_file = "keys"\n'
    },
  ],
] as const)
  testUnless(test.serial, whyNoMounts() ?? whyNoS3())(
    `${serverName}: with keys ${title}, they are in no output, no log and no command line`,
    async (t) => {
      await using server = await startS3Server(serverName)
      await everyday(t, server, `${server.endpoint}${path}`, keysOf(server))
    },
  )

test('keys in a wrong place or form are in no message', async (t) => {
  await using folder = await temporaryFolder()
  const key = randomKey()
  for (const fields of [
    `secret_kye = "${key}"`,
    `access_key = "${key}"`,
    `secret_key = ${key}`,
    `secret_key = "${key}`,
    `"${key}" = 1 2`,
    `endpoint = "https://${key}:x@host"`,
  ]) {
    const { jbfs } = await placeIn(folder.path, `[offsite]\nvendor = "custom"\n${fields}\n`)
    const { code, stdout, stderr } = await jbfs('snapshots', 'offsite', '--log-level', 'debug')
    t.is(code, 2)
    t.false(`${stdout}${stderr}`.includes(key), fields)
  }
})

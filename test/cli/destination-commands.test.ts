import { chmod, chown, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { randomKey } from '../destination/settings/settings.ts'
import { jbfsProgram, temporaryFolder } from '../support/mounted.ts'
import { asOrdinaryUser, ordinaryUser } from '../support/ordinary-user.ts'
import { runJbfs, runText, type TextResult } from '../support/run-jbfs.ts'

/** `jbfs destination …` as a script types it. */

interface Place {
  readonly folder: string
  readonly config: string
  run(args: string, input?: string): Promise<TextResult>
  text(): Promise<string>
}

function settingsTest(title: string, body: (t: ExecutionContext, place: Place) => Promise<void>): void {
  test(title, async (t) => {
    await using folder = await temporaryFolder()
    const config = join(folder.path, 'etc/jbfs/destinations.toml')
    await body(t, {
      folder: folder.path,
      config,
      run: (args, input = '') =>
        runJbfs(['destination', ...args.split(' '), '--config', config], { input, cwd: folder.path }),
      text: () => readFile(config, 'utf8'),
    })
  })
}

const add = 'add offsite --vendor wasabi --bucket b-7 --backup-directory /web'
const added = '[offsite]\nvendor = "wasabi"\nbucket = "b-7"\nbackup_directory = "/web"\n'

settingsTest('add makes the file and its folder, for nobody else to read', async (t, place) => {
  t.deepEqual(await place.run(add), { code: 0, stdout: `offsite is in ${place.config}\n`, stderr: '' })
  t.is(await place.text(), added)
  t.is((await stat(place.config)).mode & 0o777, 0o600)
  t.is((await stat(join(place.config, '..'))).mode & 0o777, 0o700)
  t.deepEqual(await readdir(join(place.config, '..')), ['destinations.toml'])
})

settingsTest('keys come from standard input, and are never shown', async (t, place) => {
  const [access, secret] = [randomKey(), randomKey()]
  const results = [await place.run(`${add} --keys-from-stdin`, `${access}\n${secret}\n`)]
  t.is(await place.text(), `${added}access_key = "${access}"\nsecret_key = "${secret}"\n`)
  for (const command of [
    'list',
    'list --json',
    'show offsite',
    'show offsite --json',
    'edit offsite --region=x',
  ])
    results.push(await place.run(command))
  t.deepEqual(
    results.map(({ code }) => code),
    [0, 0, 0, 0, 0, 2],
  )
  const shown = results.flatMap(({ stdout, stderr }) => [stdout, stderr]).join('')
  t.false(shown.includes(access) || shown.includes(secret))
  t.regex(shown, /keys +in the settings, not shown\n/)
  for (const input of ['', `${access}\n`, `${access}\n\n`, `${access}\n${secret}\nx\ny\n`]) {
    const { code, stderr } = await place.run('edit offsite --keys-from-stdin', input)
    t.is(code, 2)
    t.is(
      stderr,
      'jbfs: --keys-from-stdin reads from standard input, a line each: the access key, the secret key and, of keys that are lent for a while, the session token\n',
    )
  }
})

settingsTest('a third line is the session token, which new keys without one take out', async (t, place) => {
  const [access, secret, token] = [randomKey(), randomKey(), randomKey()]
  await place.run(`${add} --keys-from-stdin`, `${access}\n${secret}\n${token}\n`)
  const keys = `access_key = "${access}"\nsecret_key = "${secret}"\n`
  t.is(await place.text(), `${added}${keys}session_token = "${token}"\n`)
  t.is((await place.run('edit offsite --keys-from-stdin', `${access}\n${secret}\n`)).code, 0)
  t.is(await place.text(), `${added}${keys}`)
})

settingsTest('a file of keys that is named must be there, and hold keys', async (t, place) => {
  const keys = join(place.folder, 'keys')
  const refused = async (command: string, reason: RegExp): Promise<void> => {
    const { code, stderr } = await place.run(command)
    t.is(code, 2, stderr)
    t.regex(stderr, reason)
  }
  await refused(
    `${add} --keys-file keys`,
    /^jbfs: \/.*\/keys: cannot be read: there is no such file or folder\n$/,
  )
  t.false(
    await place.text().then(
      () => true,
      () => false,
    ),
  )
  await place.run(add)
  const [access, secret] = [randomKey(), randomKey()]
  await writeFile(keys, `${access}\n${secret}\n`, { mode: 0o600 })
  await refused(
    'edit offsite --keys-file keys',
    /is no TOML.*access_key = ".+" and secret_key = ".+", a line each\n$/,
  )
  t.is(await place.text(), added)
  await writeFile(keys, `access_key = "${access}"\nsecret_key = "${secret}"\n`)
  t.is((await place.run('edit offsite --keys-file keys')).code, 0)
  t.is(await place.text(), `${added}keys_file = "${keys}"\n`)
})

settingsTest('list and show tell what counts', async (t, place) => {
  t.is((await place.run('list')).code, 2, 'a file that is named must be there')
  await place.run(add)
  await place.run(
    'add copy --vendor wasabi --bucket b-7 --backup-directory /web --read-only --region eu-west-1',
  )
  t.is(
    (await place.run('list')).stdout,
    'NAME     VENDOR  REGION     PLACE         MODE\n' +
      'offsite  wasabi  us-east-1  s3://b-7/web  read-write\n' +
      'copy     wasabi  eu-west-1  s3://b-7/web  read-only\n',
  )
  const expected = {
    name: 'offsite',
    file: place.config,
    vendor: 'wasabi',
    endpoint: 'https://s3.us-east-1.wasabisys.com',
    addressing: 'path',
    bucket: 'b-7',
    region: 'us-east-1',
    backup_directory: '/web',
    read_only: false,
    owner: hostname(),
    keys: 'aws',
    keys_file: null,
    verify_ssl: true,
    ca_file: null,
    http_retries: 3,
    index_mapping: null,
    max_concurrency: 64,
  }
  t.deepEqual(JSON.parse((await place.run('show offsite --json')).stdout), expected)
  t.deepEqual(JSON.parse((await place.run('list --json')).stdout)[0], expected)
})

settingsTest('what would be wrong is told, and not written', async (t, place) => {
  await place.run(add)
  const before = await place.text()
  const cases: [string, string][] = [
    ['add', 'say what to call it: jbfs destination add NAME'],
    [add, `offsite is there already, in ${place.config}: jbfs destination edit offsite`],
    [
      'add a.b --vendor wasabi',
      `"a.b" is no name for a destination: it must have only A-Z a-z 0-9 _ -, with a letter or digit first`,
    ],
    [
      'add other --vendor wasabi --bucket b-7 --backup-directory /web/7',
      `--backup-directory is "/web/7", which lies in that of offsite, "/web" in the same bucket: only one of the two may write, say read_only = true in the other`,
    ],
    ['edit offsite --http-retries many', `--http-retries is "many": it must be a whole number from 0 to 100`],
    ['edit offsite', 'say what to change (see jbfs destination edit --help)'],
    ['edit ofsite --bucket x', 'there is no destination "ofsite" (did you mean offsite?): offsite'],
    ['show ofsite', 'there is no destination "ofsite" (did you mean offsite?): offsite'],
    ['remove other --yes', 'there is no destination "other": offsite'],
    ['remove offsite', `say --yes to take offsite out of ${place.config}`],
  ]
  for (const [command, line] of cases) {
    const { code, stdout, stderr } = await place.run(command)
    t.is(stderr, `jbfs: ${line}\n`, command)
    t.is(stdout, '')
    t.is(code, 2)
  }
  const { stderr } = await place.run('add other --vendor minio')
  t.deepEqual(
    stderr.split('\n').map((line) => line.split(' ').slice(1, 3).join(' ')),
    ['--bucket is', '--backup-directory is', '--endpoint is', ''],
  )
  t.is(await place.text(), before)
})

settingsTest('add, edit and remove leave all else as it is', async (t, place) => {
  const text =
    '# Ask ann first.\n[local] # here\nvendor = "minio"\nendpoint = "http://127.0.0.1:9000"  # on this server\n' +
    'bucket = "b-1"\nbackup_directory = "/"\n# the end\n'
  await mkdir(join(place.config, '..'), { recursive: true })
  await writeFile(place.config, text, { mode: 0o400 })
  t.is((await place.run(add)).code, 0)
  t.is(await place.text(), `${text}\n${added}`)
  t.is((await place.run('edit local --endpoint http://127.0.0.1:9001 --max-concurrency 8')).code, 0)
  const edited = text
    .replace('9000', '9001')
    .replace('backup_directory = "/"\n', 'backup_directory = "/"\nmax_concurrency = 8\n')
  t.is(await place.text(), `${edited}\n${added}`)
  t.is((await place.run('edit local --max-concurrency=')).code, 0)
  t.is(await place.text(), `${text.replace('9000', '9001')}\n${added}`)
  t.is((await place.run('remove offsite --yes')).code, 0)
  t.is((await place.text()).trimEnd(), text.replace('9000', '9001').trimEnd())
  t.is((await stat(place.config)).mode & 0o777, 0o400)
})

settingsTest('keys are not written into a file that others can read', async (t, place) => {
  await place.run(add)
  await chmod(place.config, 0o644)
  const { code, stderr } = await place.run(
    'edit offsite --keys-from-stdin',
    `${randomKey()}\n${randomKey()}\n`,
  )
  t.is(code, 2)
  t.is(stderr, `jbfs: ${place.config}: can be read by others (mode 0644): chmod 600 ${place.config}\n`)
  t.is(await place.text(), added)
})

settingsTest('what is wrong with one destination is put right, another does not hinder', async (t, place) => {
  await place.run(add)
  await writeFile(place.config, `${added.replace('wasabi', 'wasaby')}\n[other]\nvendor = 7\n`, {
    mode: 0o600,
  })
  t.is((await place.run('list')).code, 2)
  t.is((await place.run('edit offsite --vendor wasabi')).code, 0)
  t.is((await place.run('remove other --yes')).code, 0)
  t.is((await place.text()).trimEnd(), added.trimEnd())
})

settingsTest(
  'a link to a settings file stays one; a path is taken from where it is typed',
  async (t, place) => {
    const real = join(place.folder, 'real.toml')
    await writeFile(real, '', { mode: 0o600 })
    await mkdir(join(place.config, '..'), { recursive: true })
    await symlink(real, place.config)
    t.is((await place.run(`${add} --ca-file ca.pem`)).code, 0)
    t.true((await lstat(place.config)).isSymbolicLink())
    t.is(await readFile(real, 'utf8'), `${added}ca_file = "${join(place.folder, 'ca.pem')}"\n`)
  },
)

test('without --config, the settings are those of the user', async (t) => {
  await using folder = await temporaryFolder()
  const env = { XDG_CONFIG_HOME: folder.path }
  await chown(folder.path, ordinaryUser, ordinaryUser).catch(() => {})
  const command = [...asOrdinaryUser, process.execPath, jbfsProgram, 'destination', ...add.split(' ')]
  const { stdout, stderr } = await runText(command, { env })
  t.is(stdout, `offsite is in ${folder.path}/jbfs/destinations.toml\n`, stderr)
})

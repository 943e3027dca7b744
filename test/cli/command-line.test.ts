import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { exitCodeMeanings } from '../../src/cli/exit-codes.ts'
import { jbfsProgram, temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { runJbfs, runText, type TextResult } from '../support/run-jbfs.ts'
import { testUnless } from '../support/test-unless.ts'

const commands = ['mount', 'umount', 'status', 'snapshots', 'import', 'check', 'gc', 'demo']

test('--help names every command and every exit code', async (t) => {
  const { code, stdout, stderr } = await runJbfs(['--help'])
  t.is(code, 0)
  t.is(stderr, '')
  for (const command of commands) t.regex(stdout, new RegExp(`jbfs ${command}\\b`))
  for (const [exitCode, meaning] of Object.entries(exitCodeMeanings))
    t.true(stdout.includes(meaning), exitCode)
})

test('every command has a help text', async (t) => {
  for (const command of commands) {
    const { code, stdout } = await runJbfs([command, '--help'])
    t.is(code, 0, command)
    t.regex(stdout, new RegExp(`^jbfs ${command}`), command)
  }
})

test('the help of what writes and publishes says how', async (t) => {
  const helpOf = async (command: string): Promise<string> => (await runJbfs([command, '--help'])).stdout
  t.regex(await helpOf('mount'), /^ {2}jbfs mount --read-write offsite /m)
  for (const command of ['umount', 'publish'])
    t.regex(await helpOf(command), /not all that was written is published:\n +3 .*\n +8 /, command)
})

test('status that finds nothing says where it has looked', async (t) => {
  await using folder = await temporaryFolder()
  const { stderr } = await runJbfs(['status', folder.path, '--state-dir', join(folder.path, 'state')])
  t.regex(stderr, new RegExp(`nothing waits in ${folder.path}/state to be published .*--state-dir`))
})

test('--version is that of the package', async (t) => {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
  t.is((await runJbfs(['--version'])).stdout, `${manifest.version}\n`)
})

const wrong: [string, string[], RegExp][] = [
  ['no command', [], /say what to do/],
  ['a command that is none', ['foo'], /there is no command "foo" \(see jbfs --help\)/],
  ['a slip in a command', ['monut', '/a', '/b'], /there is no command "monut" \(did you mean mount\?\)/],
  [
    'help on a command that is none',
    ['help', 'statsu'],
    /there is no command "statsu" \(did you mean status\?\)/,
  ],
  [
    'an option without its value',
    ['mount', '/a', '/b', '--memory'],
    /--memory needs a value \(see jbfs mount --help\)/,
  ],
  [
    'a choice that is none',
    ['mount', '/', '/tmp', '--log-level', 'loud'],
    /--log-level is one of debug, info, warn, error, not "loud"/,
  ],
  [
    'a descriptor that is not open',
    ['mount', '/', '/tmp', '--fuse-fd', '99'],
    /--fuse-fd 99 is no open \/dev\/fuse/,
  ],
  ['an empty endpoint', ['snapshots', 's3://bucket', '--endpoint', ''], /--endpoint is a URL .*, not ""/],
  [
    'an empty region',
    ['snapshots', 's3://bucket', '--region', ''],
    /--region is the name of a region .*, not ""/,
  ],
  ['an empty CA file', ['snapshots', 's3://bucket', '--ca-file', ''], /--ca-file is a path, not ""/],
  ['an empty cache folder', ['mount', '/', '/tmp', '--cache-dir', ''], /--cache-dir is a path, not ""/],
  ['an empty log file', ['mount', '/', '/tmp', '--log-file', ''], /--log-file is a path, not ""/],
  ['an empty state folder', ['status', '--state-dir', ''], /--state-dir is a path, not ""/],
  [
    'a snapshot that is no number',
    ['import', '/', '/tmp/x', '--snap', 'abc'],
    /--snap is a whole number, 1 or more, not "abc"/,
  ],
  [
    'an unknown option',
    ['mount', '/a', '/b', '--memroy', '1G'],
    /unknown argument: --memroy \(did you mean --memory\?\) \(see jbfs mount --help\)/,
  ],
  [
    'an unknown option of a command below another',
    ['destination', 'add', 'x', '--bukket', 'b'],
    /unknown argument: --bukket \(did you mean --bucket\?\) \(see jbfs destination add --help\)/,
  ],
  [
    'an option that is not typed to its end',
    ['destination', 'add', 'x', '--backup-dir', '/web'],
    /unknown argument: --backup-dir \(did you mean --backup-directory\?\)/,
  ],
  [
    'keys as options',
    ['destination', 'add', 'x', '--access-key', 'a', '--secret-key', 'b'],
    /unknown arguments: --access-key \([^)]*--keys-from-stdin\), --secret-key \([^)]*--keys-from-stdin\) \(see/,
  ],
  [
    'a slip in a command below another',
    ['destination', 'tset', 'offsite'],
    /there is no command "tset" \(did you mean test\?\)\n/,
  ],
  [
    'a command below another that is none',
    ['destination', 'frobnicate'],
    /there is no command "frobnicate" \(see jbfs destination --help\)/,
  ],
  [
    'an unknown option that has taken an argument for its value',
    ['mount', '--readwrite', '/a', '/b'],
    /unknown argument: --readwrite \(did you mean --read-write\?\) \(see jbfs mount --help\)/,
  ],
  ['a word too many', ['mount', '/a', '/b', '/c'], /unknown argument: \/c \(see jbfs mount --help\)/],
  ['a missing argument besides an option', ['mount', '/a', '--no-verify-ssl'], /an argument is missing/],
  ['a missing argument', ['mount', '/a'], /an argument is missing \(see jbfs mount --help\)/],
  [
    'a size that is none',
    ['mount', '/', '/tmp', '--memory', 'much'],
    /--memory is a size such as 512M or 2G, not "much"/,
  ],
  ['too little memory', ['mount', '/', '/tmp', '--memory', '1M'], /--memory is a size of at least 16M/],
  ['a transport that is none', ['mount', '/', '/tmp', '--transport', 'smb'], /transport/],
  ['a negative refresh', ['mount', '/', '/tmp', '--refresh=-1'], /--refresh is a whole number/],
  [
    'a descriptor for libfuse',
    ['mount', '/', '/tmp', '--fuse-fd', '7', '--transport', 'libfuse'],
    /--fuse-fd needs --transport kernel/,
  ],
  [
    'no such CA file',
    ['snapshots', 's3://bucket', '--ca-file', '/no/such.pem'],
    /--ca-file \/no\/such.pem: there is no such file or folder\n/,
  ],
  [
    'an endpoint that is no URL',
    ['snapshots', 's3://bucket', '--endpoint', 'localhost'],
    /--endpoint is a URL/,
  ],
  [
    'retries that are no number',
    ['snapshots', 's3://bucket', '--http-retries', 'x'],
    /--http-retries is a whole number, 0 or more/,
  ],
  [
    'no files at a time',
    ['import', '/', '/tmp/x', '--concurrency', '0'],
    /--concurrency is a whole number, 1/,
  ],
  [
    'a word for files at a time',
    ['import', '/', '/tmp/x', '--concurrency', 'abc'],
    /--concurrency is a whole/,
  ],
  [
    'no part of the objects',
    ['check', '/tmp', '--read-data=0'],
    /--read-data is a percentage, above 0 and up to 100, not "0"/,
  ],
  [
    'a mount that is to write, and not to',
    ['mount', '/', '/tmp', '--read-only', '--read-write'],
    /mutually exclusive/,
  ],
  [
    'room for what is written where nothing is',
    ['mount', '/', '/tmp', '--staging', '1G'],
    /--staging needs --read-write/,
  ],
  [
    'too little room for what is written',
    ['mount', '/', '/tmp', '--read-write', '--staging', '1M'],
    /--staging is a size of at least 64M/,
  ],
  ['a word that is no destination', ['snapshots', 'no-such-word'], /there is no folder "no-such-word" here/],
]
for (const [title, args, message] of wrong)
  test(`exit code 2 and one line: ${title}`, async (t) => {
    const { code, stdout, stderr } = await runJbfs(args)
    t.is(code, 2, stderr)
    t.is(stdout, '')
    t.regex(stderr, /^jbfs: [^\n]+\n$/)
    t.regex(stderr, message)
  })

test('help on a command can be asked for in two ways', async (t) => {
  const { code, stdout } = await runJbfs(['help', 'mount'])
  t.is(code, 0)
  t.is(stdout, (await runJbfs(['mount', '--help'])).stdout)
  t.is(
    (await runJbfs(['help', 'destination', 'add'])).stdout,
    (await runJbfs(['destination', 'add', '--help'])).stdout,
  )
  t.regex((await runJbfs(['completion', '--help'])).stdout, /^jbfs completion\n[^#]*bashrc/)
  t.is((await runJbfs(['help'])).stdout, (await runJbfs(['--help'])).stdout)
})

test('a profile that no file of the AWS tools has is named', async (t) => {
  await using folder = await temporaryFolder()
  const config = join(folder.path, 'config')
  const env = { AWS_PROFILE: 'backup', AWS_CONFIG_FILE: config, AWS_SHARED_CREDENTIALS_FILE: '/none' }
  const ask = (): Promise<TextResult> =>
    runJbfs(['snapshots', 's3://bucket', '--endpoint', 'http://127.0.0.1:9', '--http-retries', '0'], { env })
  writeFileSync(config, '[default]\n[profile backups]\n')
  t.deepEqual(await ask(), {
    code: 2,
    stdout: '',
    stderr: `jbfs: AWS_PROFILE is "backup", but neither ${config} nor /none has such a profile\n`,
  })
  writeFileSync(config, '[profile backup]\naws_access_key_id = a\naws_secret_access_key = b\n')
  t.regex((await ask()).stderr, /nothing answers at 127/)
})

testUnless(test, whyNoMounts())('a demo without a folder for temporary files says so', async (t) => {
  const { code, stderr } = await runJbfs(['demo'], { env: { TMPDIR: '/no/such/folder' } })
  t.is(code, 2)
  t.regex(
    stderr,
    /^jbfs: the folder for temporary files \/no\/such\/folder cannot be used: [^\n]+TMPDIR[^\n]+\n$/,
  )
})

test('keys given in an endpoint are refused and not repeated', async (t) => {
  const { code, stderr } = await runJbfs(['snapshots', 's3://b-1', '--endpoint', 'https://AKIA1:geheim@host'])
  t.is(code, 2)
  t.regex(stderr, /AWS_ACCESS_KEY_ID/)
  t.notRegex(stderr, /geheim|AKIA1/)
})

test('what the environment says wrongly is said to be from there, and keys in it are not repeated', async (t) => {
  const none = { AWS_ENDPOINT_URL_S3: '', AWS_ENDPOINT_URL: '', AWS_REGION: '', AWS_DEFAULT_REGION: '' }
  for (const [env, said] of [
    [
      { AWS_ENDPOINT_URL: 'localhost:9' },
      /^jbfs: AWS_ENDPOINT_URL is a URL such as .*, not "localhost:9"\n$/,
    ],
    [{ AWS_ENDPOINT_URL_S3: 'AKIA1:geheim@host' }, /^jbfs: AWS_ENDPOINT_URL_S3 is a URL such as [^"]*\n$/],
    [{ AWS_ENDPOINT_URL: 'https://AKIA1:geheim@host' }, /^jbfs: AWS_ENDPOINT_URL holds no keys: /],
    [{ AWS_DEFAULT_REGION: 'a b' }, /^jbfs: AWS_DEFAULT_REGION is the name of a region .*, not "a b"\n$/],
    [{ AWS_REGION: 'AKIA1:geheim@' }, /^jbfs: AWS_REGION is the name of a region such as [^"]*\n$/],
  ] as const) {
    const { code, stderr } = await runJbfs(['snapshots', 's3://b-1'], { env: { ...none, ...env } })
    t.is(code, 2)
    t.regex(stderr, said)
    t.notRegex(stderr, /geheim|AKIA1/)
  }
})

test('an error shows where it comes from only with --log-level debug', async (t) => {
  const args = ['mount', '/', '/no/such/folder']
  const short = await runJbfs(args)
  t.is(short.code, 4)
  t.is(short.stderr, 'jbfs: there is no folder /no/such\n')
  const long = await runJbfs([...args, '--log-level', 'debug'])
  t.is(long.code, 4)
  t.true(long.stderr.startsWith(short.stderr))
  t.regex(long.stderr, /\n {4}at /)
})

test('output that nobody reads ends the command quietly', async (t) => {
  const command = `'${process.execPath}' '${jbfsProgram}' mount --help | true; echo "\${PIPESTATUS[0]}"`
  const { stdout, stderr } = await runText(['bash', '-c', command])
  t.regex(stdout, /^(0|141)\n$/)
  t.is(stderr, '')
})

test('a command that comes to no end has failed', async (t) => {
  const never =
    'import fs from "node:fs/promises"; import { syncBuiltinESMExports } from "node:module";' +
    'fs.realpath = () => new Promise(() => {}); syncBuiltinESMExports()'
  const { code, stderr } = await runText([
    process.execPath,
    `--import=data:text/javascript,${encodeURIComponent(never)}`,
    jbfsProgram,
    'umount',
    '/mnt/none',
  ])
  t.is(code, 1)
  t.is(stderr, 'jbfs: ended before it was done: a fault in jbfs\n')
})

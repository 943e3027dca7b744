import { chmod, chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { readKeysFile } from '../../../src/destination/settings/keys-file.ts'
import { whyNotPrivate } from '../../../src/destination/settings/private-file.ts'
import { readSettings } from '../../../src/destination/settings/read-settings.ts'
import { temporaryFolder } from '../../support/mounted.ts'
import { randomKey } from './settings.ts'

const ownUid = process.getuid?.() ?? 0
const reader = { hostName: 'here', ownUid }

interface Place {
  readonly vendor?: string
  readonly endpoint?: string
  readonly bucket?: string
  readonly directory: string
  readonly readOnly?: boolean
}

function table(
  name: string,
  { vendor, endpoint, bucket = 'b-7', directory, readOnly = false }: Place,
): string {
  return `
    [${name}]
    vendor = "${vendor ?? (endpoint === undefined ? 'amazon' : 'custom')}"
    ${endpoint === undefined ? '' : `endpoint = "${endpoint}"`}
    bucket = "${bucket}"
    backup_directory = "${directory}"
    read_only = ${readOnly}
  `
}

/** What is wrong with a file, line by line, without its path. */
async function linesOf(text: string): Promise<string[]> {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'destinations.toml')
  await writeFile(path, text, { mode: 0o600 })
  try {
    readSettings([{ path, passedOver: [] }], reader)
    return []
  } catch (error) {
    return (error as Error).message.replaceAll(`${path}: `, '').split('\n')
  }
}

const onlyOne = 'only one of the two may write, say read_only = true in the other'

const shared: [string, Place, Place, string | undefined][] = [
  [
    'the same folder',
    { directory: '/web' },
    { directory: '/web/' },
    '[b] backup_directory is "/web", which is that of a, "/web" in the same bucket',
  ],
  [
    'a folder in it',
    { directory: '/web' },
    { directory: '/web/7' },
    '[b] backup_directory is "/web/7", which lies in that of a, "/web" in the same bucket',
  ],
  [
    'the whole bucket',
    { directory: '/web' },
    { directory: '/' },
    '[b] backup_directory is "/", which holds that of a, "/web" in the same bucket',
  ],
  [
    'the same server by another vendor',
    { directory: '/web', vendor: 'amazon' },
    { directory: '/web', endpoint: 'https://{bucket}.s3.us-east-1.amazonaws.com' },
    '[b] backup_directory is "/web", which is that of a, "/web" in the same bucket',
  ],
  ['a folder beside it', { directory: '/web' }, { directory: '/web2' }, undefined],
  ['another bucket', { directory: '/web' }, { directory: '/web', bucket: 'b-8' }, undefined],
  [
    'another port',
    { directory: '/web', endpoint: 'https://s3.example.com:9000' },
    { directory: '/web', endpoint: 'https://s3.example.com:9001' },
    undefined,
  ],
  ['one that is only read', { directory: '/web' }, { directory: '/web', readOnly: true }, undefined],
]
for (const [title, a, b, problem] of shared)
  test(`two destinations: ${title}`, async (t) => {
    const expected = problem === undefined ? [] : [`${problem}: ${onlyOne}`]
    t.deepEqual(await linesOf(table('a', a) + table('b', b)), expected)
  })

test('of destinations of one name that of the first file counts', async (t) => {
  await using folder = await temporaryFolder()
  const files = ['own.toml', 'system.toml', 'none.toml'].map((name) => ({
    path: join(folder.path, name),
    passedOver: ['ENOENT'],
  }))
  await writeFile(files[0]!.path, table('a', { directory: '/own' }), { mode: 0o600 })
  await writeFile(
    files[1]!.path,
    table('a', { directory: '/own/too' }) + table('b', { directory: '/system' }),
    { mode: 0o600 },
  )
  const settings = readSettings(files, reader)
  t.deepEqual(
    [...settings.values()].map(({ name, backupDirectory, file }) => [name, backupDirectory, file]),
    [
      ['a', 'own', files[0]!.path],
      ['b', 'system', files[1]!.path],
    ],
  )
})

test('a file that must be there is missed', (t) => {
  t.throws(() => readSettings([{ path: '/no/such.toml', passedOver: ['EACCES'] }], reader), {
    code: 'bad-settings',
    message: "/no/such.toml: cannot be read: ENOENT: no such file or directory, open '/no/such.toml'",
  })
})

test('who may read or write a settings file', (t) => {
  const say = (uid: number, mode: number): string | undefined =>
    whyNotPrivate('/s.toml', { uid, mode: 0o100000 | mode }, 1000)
  t.is(say(1000, 0o600), undefined)
  t.is(say(0, 0o400), undefined)
  t.is(say(0, 0o644), 'can be read by others (mode 0644): chmod 600 /s.toml')
  t.is(say(1000, 0o640), 'can be read by others (mode 0640): chmod 600 /s.toml')
  t.is(say(1000, 0o604), 'can be read by others (mode 0604): chmod 600 /s.toml')
  t.is(say(1000, 0o660), 'can be written by others (mode 0660): chmod 600 /s.toml')
  t.is(say(1000, 0o602), 'can be written by others (mode 0602): chmod 600 /s.toml')
  t.is(say(1001, 0o600), 'belongs to another user (uid 1001): chown 1000 /s.toml')
})

test('a file that others can read is refused, with keys or without', async (t) => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'destinations.toml')
  const key = randomKey()
  const read = (): unknown => readSettings([{ path, passedOver: [] }], reader)
  await writeFile(path, table('a', { directory: '/web' }))
  await chmod(path, 0o644)
  t.throws(read, { message: `${path}: can be read by others (mode 0644): chmod 600 ${path}` })
  await writeFile(path, `${table('a', { directory: '/web' })}access_key = "${key}"\nsecret_key = "${key}"\n`)
  t.throws(read, { message: `${path}: can be read by others (mode 0644): chmod 600 ${path}` })
  await chmod(path, 0o600)
  t.notThrows(read)
  if (ownUid === 0) {
    await chown(path, 12345, 0)
    t.throws(read, { message: `${path}: belongs to another user (uid 12345): chown 0 ${path}` })
  }
})

test('keys in a file of their own', async (t) => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'keys')
  const [access, secret] = [randomKey(), randomKey()]
  await writeFile(path, `access_key = "${access}"\nsecret_key = "${secret}"\n`, { mode: 0o600 })
  const keys = readKeysFile(path, ownUid)
  t.deepEqual(
    [keys.accessKey.reveal(), keys.secretKey.reveal(), keys.sessionToken],
    [access, secret, undefined],
  )

  await chmod(path, 0o640)
  t.throws(() => readKeysFile(path, ownUid), {
    code: 'bad-settings',
    message: `${path}: can be read by others (mode 0640): chmod 600 ${path}`,
  })
  await chmod(path, 0o600)
  await writeFile(path, `acces_key = "${access}"\nsecret_key = 5\n`)
  t.throws(() => readKeysFile(path, ownUid), {
    message: [
      `${path}: access_key is missing: a file of keys has access_key and secret_key`,
      `${path}: acces_key is no key (did you mean access_key?): it must be one of access_key, secret_key, session_token`,
      `${path}: secret_key is not written as it should be: it must be a text in quotes, without spaces`,
    ].join('\n'),
  })
  await writeFile(path, `access_key = ${access}!\n`)
  const error = t.throws(() => readKeysFile(path, ownUid), { message: /keys: is no TOML: / })
  t.false(error?.message.includes(access))
  t.throws(() => readKeysFile(join(folder.path, 'none'), ownUid), { message: /none: cannot be read: ENOENT/ })
})

import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import test from 'ava'
import { findRepositories } from '../../src/cli/repositories.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { StoreError } from '../../src/store/errors.ts'
import type { ObjectReader } from '../../src/store/object-store.ts'
import { readOnly } from '../../src/store/read-only.ts'
import { temporaryFolder } from '../support/mounted.ts'
import { runJbfs } from '../support/run-jbfs.ts'

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
}

const foreignManifest = JSON.stringify({
  created: 1_700_000_000,
  items: [{ type: 'homedir', path: 'homedir', files: 3, size: 2048 }],
})

test('repositories are found below folders, and nothing in them is listed', async (t) => {
  await using folder = await temporaryFolder()
  await write(folder.path, {
    'job1/anna/snap.1/jetbackup.index': '{}',
    'job1/anna/files/6258c0a30008839f00001146': 'x',
    'job1/bert/files00000001/6258c0a30008839f00001146': 'x',
    'job2/clara/export/snap.1': 'x',
    'job2/empty/readme': 'x',
    'job2/clara/nested/snap.7/jetbackup.index': '{}',
  })
  const listed: string[] = []
  const store = readOnly(new DirectoryStore(folder.path))
  const watched: ObjectReader = {
    ...store,
    list(prefix, options) {
      listed.push(prefix)
      return store.list(prefix, options)
    },
  }
  t.deepEqual(await findRepositories(watched, { onRefusal: (error) => t.fail(error.message), onLimit }), [
    'job1/anna/',
    'job1/bert/',
    'job2/clara/',
    'job2/clara/nested/',
  ])
  t.deepEqual(
    listed.filter((prefix) => /files|export|snap/.test(prefix)),
    [],
  )
})

test('a folder that may not be read does not hide the others', async (t) => {
  await using folder = await temporaryFolder()
  await write(folder.path, {
    'job1/anna/snap.1/jetbackup.index': '{}',
    'lost+found/bert/snap.1/jetbackup.index': '{}',
    'job2/clara/snap.1/jetbackup.index': '{}',
  })
  // Root may read everything.
  const store = readOnly(new DirectoryStore(folder.path))
  const refusing: ObjectReader = {
    ...store,
    list(prefix, options) {
      if (prefix === 'lost+found/') throw new StoreError('access-denied', 'lost+found: no permission')
      return store.list(prefix, options)
    },
  }
  const refusals: string[] = []
  const onRefusal = (error: StoreError): void => void refusals.push(error.message)
  t.deepEqual(await findRepositories(refusing, { onRefusal, onLimit }), ['job1/anna/', 'job2/clara/'])
  t.deepEqual(refusals, ['lost+found: no permission'])
})

function onLimit(): void {
  throw new Error('there are few folders')
}

test('folders without snapshots are not walked through without end', async (t) => {
  await using folder = await temporaryFolder()
  await write(folder.path, { 'a/b/c/d/e/f/snap.1/jetbackup.index': '{}', 'z/snap.1/jetbackup.index': '{}' })
  const store = readOnly(new DirectoryStore(folder.path))
  const limits: number[] = []
  const options = {
    onRefusal: (error: StoreError): void => t.fail(error.message),
    onLimit: (limit: number): void => void limits.push(limit),
  }
  // The top, a, b and c.
  t.deepEqual(await findRepositories(store, { ...options, limit: 4 }), ['z/'])
  t.deepEqual(limits, [4])
  t.deepEqual(await findRepositories(store, { ...options, limit: 7 }), ['a/b/c/d/e/f/', 'z/'])
  t.deepEqual(limits, [4])
})

test('only what is damaged makes the exit code 5', async (t) => {
  await using folder = await temporaryFolder()
  await write(folder.path, { 'a/snap.1/jetbackup.index': foreignManifest })
  t.is((await runJbfs(['snapshots', folder.path])).code, 0)
  await write(folder.path, { 'a/snap.2/jetbackup.index': 'no json' })
  t.is((await runJbfs(['snapshots', folder.path])).code, 5)
})

test('each snapshot is a row: whose it is, what it holds, what is wrong', async (t) => {
  await using folder = await temporaryFolder()
  await write(folder.path, {
    'a/snap.1/jetbackup.index': 'no json',
    'a/snap.2/other': '',
    'a/snap.3/jetbackup.index': '{"created": -86400}',
    'b\u001b[31m/snap.10/jetbackup.index': foreignManifest,
  })
  const { code, stdout } = await runJbfs(['snapshots', folder.path, '--json'])
  t.is(code, 5)
  const rows = JSON.parse(stdout)
  t.like(rows[0], { repository: 'a', snapshot: 'snap.1', created: null, files: null, state: 'damaged' })
  t.regex(rows[0].reason, /no JSON/)
  t.like(rows[1], { snapshot: 'snap.2', state: 'damaged' })
  t.regex(rows[1].reason, /no manifest/)
  t.like(rows[2], { snapshot: 'snap.3', created: '1969-12-31T00:00:00.000Z' })
  t.like(rows[3], {
    snapshot: 'snap.10',
    created: '2023-11-14T22:13:20.000Z',
    files: 3,
    size: 2048,
    state: 'foreign',
  })

  const table = (await runJbfs(['snapshots', folder.path])).stdout
  t.regex(table, /^REPOSITORY +SNAPSHOT +CREATED +FILES +SIZE +STATE\n/)
  t.regex(table, /\na +snap\.1 +\? +\? +\? +damaged: /)
  t.regex(table, /\nb\\u001b\[31m +snap\.10 +2023-11-1\d \d\d:\d\d:20 +3 +2\.0 KiB +foreign: /)
})

test('one snapshot can be asked for, which must be there', async (t) => {
  await using folder = await temporaryFolder()
  await write(folder.path, {
    'a/snap.1/jetbackup.index': 'no json',
    'a/snap.2/jetbackup.index': foreignManifest,
  })
  const { code, stdout } = await runJbfs(['snapshots', `${folder.path}/a/snap.2`, '--json'])
  t.is(code, 0)
  t.deepEqual(
    JSON.parse(stdout).map(({ snapshot }: { snapshot: string }) => snapshot),
    ['snap.2'],
  )
  t.deepEqual(await runJbfs(['snapshots', `${folder.path}/a/snap.3`]), {
    code: 5,
    stdout: '',
    stderr: `jbfs: there is no snapshot ${folder.path}/a/snap.3\n`,
  })
})

test('a folder of a bucket in which nothing lies is not there; a destination may be new', async (t) => {
  await using folder = await temporaryFolder()
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/xml')
    response.end(
      '<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>',
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const config = join(folder.path, 'destinations.toml')
  await writeFile(
    config,
    `[offsite]\nvendor = "minio"\nendpoint = "${endpoint}"\nbucket = "b-7"\nbackup_directory = "/web"\n` +
      'access_key = "key"\nsecret_key = "secret"\n',
    { mode: 0o600 },
  )
  try {
    t.deepEqual(await runJbfs(['snapshots', 'offsite/nosuch', '--config', config]), {
      code: 5,
      stdout: '',
      stderr: 'jbfs: there is no repository or folder offsite/nosuch\n',
    })
    const { code, stdout } = await runJbfs(['snapshots', 'offsite', '--config', config])
    t.is(code, 0)
    t.is(stdout, 'there are no snapshots in s3://b-7/web\n')
  } finally {
    server.close()
    server.closeAllConnections()
  }
})

test('a destination without snapshots says so, one that is not there fails', async (t) => {
  await using folder = await temporaryFolder()
  t.deepEqual(await runJbfs(['snapshots', folder.path]), {
    code: 0,
    stdout: `there are no snapshots in ${folder.path}\n`,
    stderr: '',
  })
  t.deepEqual(await runJbfs(['snapshots', folder.path, '--json']), { code: 0, stdout: '[]\n', stderr: '' })
  const { code, stderr } = await runJbfs(['snapshots', join(folder.path, 'none')])
  t.is(code, 3)
  t.regex(stderr, /^jbfs: [^\n]+\n$/)
})

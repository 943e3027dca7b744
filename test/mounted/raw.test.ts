import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { objectKey } from '../../src/store/object-store.ts'
import { mountDestination, temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { type Place, placesTest } from '../support/places.ts'
import { output } from '../support/run.ts'
import { runJbfs } from '../support/run-jbfs.ts'

/** `jbfs mount --raw` on a folder and on real S3 servers. */

function rawTest(title: string, body: (t: ExecutionContext, place: Place) => Promise<void>): void {
  placesTest(title, body, whyNoMounts())
}

const objects: Readonly<Record<string, string>> = {
  'job/acme/files0000000001/6258c0a30008839f00001146': 'one object\n',
  'job/acme/export/snap.1': 'an index\n',
  'job/acme/snap.1/jetbackup.index': '{"created": 1650000000}\n',
  'job/acme/snap.1/other': 'what is beside it\n',
  'job/acme/naïve "name" 100%/file': 'odd\n',
  'top.txt': 'top\n',
}

rawTest(
  'the keys are files, with the bytes and times of the objects, and nothing can be written',
  async (t, place) => {
    const { store, folder, destination, proxy } = place
    for (const [key, text] of Object.entries(objects)) await store.put(objectKey(key), Buffer.from(text))
    const large = Buffer.alloc(5 << 20, 'large object ')
    await store.put(objectKey('job/acme/files0000000001/large'), large)
    await using mount = await mountDestination(folder, destination, {
      args: ['--raw', ...(proxy === undefined ? [] : ['--endpoint', proxy.endpoint])],
      env: place.env,
    })
    const found = await output('find', ['.', '-type', 'f'], { cwd: mount.path })
    t.deepEqual(
      found.trim().split('\n').sort(),
      [...Object.keys(objects), 'job/acme/files0000000001/large']
        .map((key) => `./${Buffer.from(key).toString('latin1')}`)
        .sort(),
    )
    for (const [key, text] of Object.entries(objects))
      t.is(await readFile(join(mount.path, key), 'utf8'), text, key)
    t.true(large.equals(await readFile(join(mount.path, 'job/acme/files0000000001/large'))))
    const top = await store.head(objectKey('top.txt'))
    const [modified] = (await output('stat', ['-c', '%Y', join(mount.path, 'top.txt')])).split('\n')
    t.is(Number(modified), Math.floor((top?.modified ?? 0) / 1_000))

    for (const path of ['new', 'job/acme/snap.1/new', 'top.txt'])
      await t.throwsAsync(writeFile(join(mount.path, path), 'x'), { code: 'EROFS' }, path)
    if (proxy === undefined) return
    const { GET: _gets, HEAD: _heads, LIST: _lists, ...others } = proxy.counts()
    t.deepEqual(others, { PUT: 0, POST: 0, DELETE: 0 })
  },
)

rawTest('a key that is put, or removed, while it is mounted is seen after a refresh', async (t, place) => {
  const { store, folder, destination, proxy } = place
  await store.put(objectKey('a/first'), Buffer.from('1'))
  await using mount = await mountDestination(folder, destination, {
    args: ['--raw', '--refresh', '1', ...(proxy === undefined ? [] : ['--endpoint', proxy.endpoint])],
    env: place.env,
  })
  t.deepEqual(await readdir(join(mount.path, 'a')), ['first'])
  await store.put(objectKey('a/second'), Buffer.from('2'))
  await store.delete([objectKey('a/first')])
  const deadline = Date.now() + 20_000
  while ((await readdir(join(mount.path, 'a'))).join() !== 'second' && Date.now() < deadline) await delay(100)
  t.deepEqual(await readdir(join(mount.path, 'a')), ['second'])
})

test('--raw is refused with --read-write', async (t) => {
  const { code, stderr } = await runJbfs(['mount', '/', '/mnt', '--raw', '--read-write'])
  t.not(code, 0)
  t.regex(stderr, /--raw is for looking around/)
})

test('--raw is refused with --mapping, which it would not heed', async (t) => {
  await using folder = await temporaryFolder()
  const mapping = join(folder.path, 'mapping.toml')
  await writeFile(mapping, 'database = "d"\nfrom = "f"\n[columns]\npath = "p"\nsize = "s"\nobject = "o"\n')
  const { code, stderr } = await runJbfs(['mount', folder.path, '/mnt', '--raw', '--mapping', mapping])
  t.is(code, 2, stderr)
  t.regex(stderr, /--raw shows the keys as they are: it goes with no --mapping/)
})

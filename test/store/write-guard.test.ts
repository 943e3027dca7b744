import { hash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import test from 'ava'
import { JbfsError } from '../../src/base/errors.ts'
import { flock, LibcError } from '../../src/base/libc.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { objectKey, type WriteGuard } from '../../src/store/object-store.ts'
import { s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { temporaryFolder } from '../support/mounted.ts'
import { recordedKeys, startRecordingServer } from '../support/recording-server.ts'

const old = objectKey('old')
const late = objectKey('late')

/** Lets all writes pass until it is shut. */
function gate(): { readonly guard: WriteGuard; shut: () => void } {
  let isOpen = true
  return {
    guard: () => {
      if (!isOpen) throw new JbfsError('shut', 'shut')
    },
    shut: () => {
      isOpen = false
    },
  }
}

test('directory: what the guard refuses leaves no trace', async (t) => {
  await using folder = await temporaryFolder()
  const { guard, shut } = gate()
  const store = new DirectoryStore(folder.path, { guard })
  const { etag } = await store.put(old, Buffer.from('old'))
  shut()
  for (const condition of [{}, { ifNoneMatch: '*' }] as const)
    await t.throwsAsync(store.put(late, Buffer.from('late'), condition), { code: 'shut' })
  await t.throwsAsync(store.put(old, Buffer.from('late'), { ifMatch: etag }), { code: 'shut' })
  await t.throwsAsync(store.delete([old]), { code: 'shut' })
  t.deepEqual(await readdir(folder.path), ['old'])
  t.is((await store.get(old))?.bytes.toString(), 'old')
})

test('directory: what a call of the system fails with in between is a fault of the store', async (t) => {
  await using folder = await temporaryFolder()
  const guard = (): void => {
    throw new LibcError('EROFS', 'EROFS: read-only file system, renameat2')
  }
  const store = new DirectoryStore(folder.path, { guard })
  await t.throwsAsync(store.put(late, Buffer.from('late')), { name: 'StoreError', code: 'read-only' })
})

test('S3: what the guard refuses never reaches the server, over a kept connection or a new one', async (t) => {
  const host = 'backups.example.com'
  await using server = await startRecordingServer([host])
  const { guard, shut } = gate()
  const open = (): S3Store =>
    new S3Store({
      ...s3Defaults,
      endpoint: `https://${host}`,
      region: 'here',
      bucket: 'backups',
      addressing: 'path',
      prefix: '',
      credentials: recordedKeys,
      caFile: server.certificate,
      connectTo: server,
      guard,
    })
  using kept = open()
  const sha256 = hash('sha256', 'late', 'buffer')
  await kept.put(old, Buffer.from('old'))
  await kept.put(late, Buffer.from('late'), { sha256 })
  t.is(server.take().length, 2)
  shut()
  using fresh = open()
  for (const store of [kept, fresh]) {
    // Its own words, and none of a server that fails: what a lease was lost for is not tried again.
    await t.throwsAsync(store.put(late, Buffer.from('late')), { code: 'shut' })
    await t.throwsAsync(store.put(late, Buffer.from('late'), { sha256 }), { code: 'shut' })
    await t.throwsAsync(store.delete([old]), { code: 'shut' })
    await t.throwsAsync(store.head(old), { code: 'shut' })
  }
  t.deepEqual(server.take(), [])
  t.truthy(await kept.get(old), 'reading goes on')
})

test('directory: nobody locks it between the guard of a write and the write', async (t) => {
  await using folder = await temporaryFolder()
  const fd = openSync(folder.path, 'r')
  const locked: boolean[] = []
  try {
    const store = new DirectoryStore(folder.path, { guard: () => void locked.push(flock(fd, 'exclusive')) })
    const { etag } = await store.put(old, Buffer.from('old'))
    await store.put(old, Buffer.from('new'), { ifMatch: etag })
    await store.delete([old])
    t.deepEqual(locked, [false, false, false])
    t.true(flock(fd, 'exclusive'), 'it is free afterwards')
  } finally {
    closeSync(fd)
  }
})

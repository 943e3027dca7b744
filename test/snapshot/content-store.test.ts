import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { fileKey } from '../../src/destination/layout.ts'
import { ImportError } from '../../src/import/errors.ts'
import type { OpenContent } from '../../src/snapshot/content-store.ts'
import { ContentStore } from '../../src/snapshot/content-store.ts'
import { ObjectIds } from '../../src/snapshot/object-id.ts'
import type { ObjectStore } from '../../src/store/object-store.ts'
import { emptyStore } from './publish-sample.ts'
import { temporaryFolder } from './write-tree.ts'

const { signal } = new AbortController()
const large = Buffer.alloc(5 << 20, 'large')

function contentsOf(store: ObjectStore): ContentStore {
  return new ContentStore({ store, repository: '', ids: new ObjectIds() })
}

/** What `bytes` are in a file; a read gives no more than `mostRead` of them. */
function content(path: string, bytes: Buffer, mostRead = bytes.length): OpenContent {
  return {
    path,
    ranges: [{ offset: 0, length: bytes.length }],
    read: async (into, offset) => bytes.copy(into, 0, offset, offset + Math.min(into.length, mostRead)),
    isUnchanged: async () => true,
    [Symbol.asyncDispose]: async () => {},
  }
}

test('what a read leaves out is read by the next one', async (t) => {
  const store = await emptyStore(await temporaryFolder(t))
  const bytes = Buffer.from('a file of an unreliable medium')
  const stored = await contentsOf(store).add(content('', bytes, 7), signal)
  t.deepEqual((await store.get(fileKey('', stored?.object?.id as string)))?.bytes, bytes)
  t.deepEqual(stored?.object?.sha256, createHash('sha256').update(bytes).digest())
})

test('a read that fails is not taken for data', async (t) => {
  const store = await emptyStore(await temporaryFolder(t))
  const broken: OpenContent = {
    ...content('', Buffer.alloc(10)),
    read: async (_into, offset) => {
      if (offset === 0) return 4
      throw new ImportError('bad-source', 'the medium is broken')
    },
  }
  await t.throwsAsync(contentsOf(store).add(broken, signal), { code: 'bad-source' })
})

test('a file that has become shorter has changed', async (t) => {
  const store = await emptyStore(await temporaryFolder(t))
  const shorter = { ...content('', Buffer.from('short')), ranges: [{ offset: 0, length: 10 }] }
  t.is(await contentsOf(store).add(shorter, signal), undefined)
})

test('a large file that changes between hashing and sending lends its object to no other', async (t) => {
  const folder = await temporaryFolder(t)
  const store = await emptyStore(folder)
  const path = join(folder, 'large')
  await writeFile(path, Buffer.alloc(large.length, 'changed'))
  let looks = 0
  const changing = { ...content(path, large), isUnchanged: async () => ++looks < 2 }
  const contents = contentsOf(store)
  const same = content(join(folder, 'same'), large)
  await writeFile(same.path, large)
  const [first, second] = await Promise.all([contents.add(changing, signal), contents.add(same, signal)])
  t.is(first, undefined)
  t.deepEqual((await store.get(fileKey('', second?.object?.id as string)))?.bytes, large)
})

test('a large file that becomes shorter or unreadable while it is sent is at fault, not the store', async (t) => {
  const folder = await temporaryFolder(t)
  const store = await emptyStore(folder)
  const path = join(folder, 'large')
  await writeFile(path, large.subarray(1))
  let looks = 0
  const shorter = { ...content(path, large), isUnchanged: async () => ++looks < 2 }
  t.is(await contentsOf(store).add(shorter, signal), undefined)
  let reads = 0
  const unreadable: OpenContent = {
    ...content(path, large),
    async read(into) {
      if (++reads > 6) throw new ImportError('bad-source', 'the medium is broken')
      return into.length
    },
  }
  await t.throwsAsync(contentsOf(store).add(unreadable, signal), { code: 'bad-source' })
})

test('what the repository has is not sent', async (t) => {
  const store = await emptyStore(await temporaryFolder(t))
  const bytes = Buffer.from('there')
  const object = {
    id: '0'.repeat(24),
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest(),
  }
  const contents = contentsOf(store)
  contents.know(object)
  t.like(await contents.add(content('', bytes), signal), { object, uploaded: false })
})

test('long zeros of a large file are holes where the source loses them, and only there', async (t) => {
  const folder = await temporaryFolder(t)
  const store = await emptyStore(folder)
  const mebibyte = 1 << 20
  const bytes = Buffer.alloc(8 * mebibyte + 10)
  bytes.fill('a', 0, mebibyte)
  bytes.fill('b', 3 * mebibyte - 1, 5 * mebibyte)
  const path = join(folder, 'file')
  await writeFile(path, bytes)
  const data = [
    { offset: 0, length: mebibyte },
    { offset: 2 * mebibyte, length: 3 * mebibyte },
  ]
  for (const [zerosAreHoles, ranges] of [
    [true, data],
    [false, [{ offset: 0, length: bytes.length }]],
  ] as const) {
    const contents = new ContentStore({ store, repository: '', ids: new ObjectIds(), zerosAreHoles })
    const stored = await contents.add(content(path, bytes), signal)
    t.deepEqual(stored?.ranges, ranges)
    const expected = Buffer.concat(
      ranges.map(({ offset, length }) => bytes.subarray(offset, offset + length)),
    )
    const kept = await store.get(fileKey('', stored?.object?.id as string))
    t.true(kept?.bytes.equals(expected))
    t.deepEqual(stored?.object?.sha256, createHash('sha256').update(expected).digest())
  }
  const contents = new ContentStore({ store, repository: '', ids: new ObjectIds(), zerosAreHoles: true })
  const empty = await contents.add(content(path, Buffer.alloc(5 * mebibyte + 1)), signal)
  t.deepEqual(empty, { object: undefined, ranges: [], uploaded: false })
})

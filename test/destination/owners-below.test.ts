import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type Owner, serializeOwner } from '../../src/destination/owner-record.ts'
import { ownersBelow, ownersBelowText } from '../../src/destination/owners-below.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import type { ObjectReader } from '../../src/store/object-store.ts'
import { temporaryFolder } from '../support/mounted.ts'

const self: Owner = { id: 'this one', host: 'web1', name: 'web1' }
const other: Owner = { id: 'another', host: 'web2', name: 'web2' }

async function putOwner(folder: string, owner: Owner | 'nonsense'): Promise<void> {
  await mkdir(folder, { recursive: true })
  const content = owner === 'nonsense' ? owner : serializeOwner({ owner, token: 1, lease: undefined })
  await writeFile(join(folder, 'jetbackup.owner'), content)
}

/** The same, which tells how many listings were asked for. */
function counting(path: string): { reader: ObjectReader; listings: () => number } {
  const store = new DirectoryStore(path)
  let listings = 0
  const list: ObjectReader['list'] = (prefix, options) => {
    listings++
    return store.list(prefix, options)
  }
  const { description } = store
  const [get, getStream, head] = [store.get.bind(store), store.getStream.bind(store), store.head.bind(store)]
  return { reader: { description, get, getStream, head, list }, listings: () => listings }
}

test("others' folders are found three deep, own ones and parts of repositories are not looked for", async (t) => {
  await using folder = await temporaryFolder()
  const { path } = folder
  await putOwner(path, other)
  await putOwner(join(path, 'a'), other)
  await putOwner(join(path, 'b/c/d'), 'nonsense')
  await putOwner(join(path, 'own'), self)
  await putOwner(join(path, 'repository/files'), other)
  await putOwner(join(path, 'repository/snap.1'), other)
  const below = await ownersBelow(new DirectoryStore(path), self, {})
  t.deepEqual(below, { folders: ['a (web2)', 'b/c/d (unreadable)'], isComplete: true })
  t.is(ownersBelowText(below), "these folders in it stay their owners': a (web2), b/c/d (unreadable)")
  await putOwner(join(path, 'b/c/d/e'), other)
  t.deepEqual(await ownersBelow(new DirectoryStore(path), self, {}), { ...below, isComplete: false })
})

test('a destination of very many folders is not listed to its end', async (t) => {
  await using folder = await temporaryFolder()
  for (let n = 0; n < 200; n++) await putOwner(join(folder.path, `account${n}`), other)
  const { reader, listings } = counting(folder.path)
  const below = await ownersBelow(reader, self, {})
  t.is(listings(), 64)
  t.is(below.folders.length, 63)
  t.regex(ownersBelowText(below) ?? '', /, account\d+ \(web2\), 53 more; not every folder was looked into$/)
})

test('where nothing is, there is nothing to tell', async (t) => {
  await using folder = await temporaryFolder()
  for (const path of [folder.path, join(folder.path, 'missing')])
    t.is(ownersBelowText(await ownersBelow(new DirectoryStore(path), self, {})), undefined)
})

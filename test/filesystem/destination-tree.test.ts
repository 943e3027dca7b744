import test from 'ava'
import type { LocalSnapshots } from '../../src/filesystem/destination-tree.ts'
import type { Folder, TextFile } from '../../src/filesystem/folder.ts'
import type { MountedSnapshot } from '../../src/filesystem/mounted-snapshot.ts'
import type { WritableSnapshot } from '../../src/snapshot/writable-tree.ts'
import { context, entryAt, manifestText, memoryDestination, namesIn } from './memory-destination.ts'

const here = ['.', '..']

test('a listing is the same whether read at once or bit by bit, also after refreshes', async (t) => {
  const { reader, tree, filesystem } = memoryDestination({ 'b/x': '', 'd/x': '', e: '1', f: '2' })
  t.deepEqual(await namesIn(filesystem, 1), [...here, 'b', 'd', 'e', 'f'])
  reader.objects.set('a/x', '').set('c/x', '').set('e', 'other')
  await tree.refresh({ all: true })
  const all = await namesIn(filesystem, 1, { room: 99 })
  t.deepEqual(all.toSorted(), [...here, 'a', 'b', 'c', 'd', 'e', 'f'])
  t.deepEqual(await namesIn(filesystem, 1), all)
})

test('what is replaced while a folder is being read is listed once, and nothing is left out', async (t) => {
  const { reader, tree, filesystem } = memoryDestination({ a: '', b: '', c: '' })
  let version = 0
  const names = await namesIn(filesystem, 1, {
    between: async () => {
      if (version === 5) return
      reader.objects.set('a', `${version++}`).set(`0${version}`, '')
      await tree.refresh({ all: true })
    },
    room: 2,
  })
  for (const name of ['a', 'b', 'c']) t.is(names.filter((listed) => listed === name).length, 1, name)
  t.is(new Set(names).size, names.length)
})

test('a refresh tells of what is new, other and gone, and asks only about folders that were looked into', async (t) => {
  const { reader, tree, filesystem, changes } = memoryDestination({
    'account/snap.1/jetbackup.index': manifestText(1),
    'other/note': '',
  })
  await namesIn(filesystem, 1)
  const account = (await entryAt(filesystem, 'account'))?.attr.ino as number
  const other = (await entryAt(filesystem, 'other'))?.attr.ino as number
  t.deepEqual(await namesIn(filesystem, account), [...here, 'latest', 'snap.1'])
  await namesIn(filesystem, other)
  await tree.refresh({ all: false })
  t.deepEqual(changes, [])

  reader.objects.set('account/snap.2/jetbackup.index', manifestText(2, 2)).set('other/new', '')
  await filesystem.lookup(account, 'snap.1', context)
  reader.listed.length = 0
  await tree.refresh({ all: false })
  t.deepEqual(reader.listed.toSorted(), ['account/', 'account/snap.'])
  t.deepEqual(
    changes.toSorted(),
    [
      ['', []],
      ['account/', ['latest', 'snap.2']],
      ['other/', []],
    ],
    'of the others only that their listing may be old',
  )
  changes.length = 0
  await tree.refresh({ all: false })
  t.deepEqual(changes, [['account/', []]], 'which is said once')
})

test('who comes back to a folder that is not kept up to date sees what is there now', async (t) => {
  const { reader, tree, filesystem, changes } = memoryDestination({ a: '' })
  t.deepEqual(await namesIn(filesystem, 1), [...here, 'a'])
  await tree.refresh({ all: false })
  await tree.refresh({ all: false })
  changes.length = 0
  reader.objects.set('b', '')
  t.truthy(await entryAt(filesystem, 'b'))
  t.deepEqual(changes, [['', ['b']]], 'the kernel may remember that it was absent')
  t.deepEqual(await namesIn(filesystem, 1), [...here, 'a', 'b'])
})

test('a refresh of all folders asks about those nobody looked into, too', async (t) => {
  const { reader, tree, filesystem, changes } = memoryDestination({ 'account/a': '' })
  await entryAt(filesystem, 'account/a')
  await tree.refresh({ all: false })
  await tree.refresh({ all: false })
  changes.length = 0
  reader.objects.set('account/b', '')
  await tree.refresh({ all: true })
  t.deepEqual(changes, [['account/', ['b']]])
})

test('a refresh does not take the answer of a listing that began before it', async (t) => {
  const { reader, tree, filesystem } = memoryDestination({ a: '' })
  await namesIn(filesystem, 1)
  await tree.refresh({ all: false })
  await tree.refresh({ all: false })
  const gate = Promise.withResolvers<void>()
  reader.listed.length = 0
  reader.beforeList = () => gate.promise
  const looking = entryAt(filesystem, 'a')
  const refreshing = tree.refresh({ all: true })
  gate.resolve()
  await Promise.all([looking, refreshing])
  t.deepEqual(reader.listed, ['', ''])
})

test('a folder that cannot be listed again goes on being shown', async (t) => {
  const { reader, tree, filesystem, warnings } = memoryDestination({ a: '' })
  await namesIn(filesystem, 1)
  reader.beforeList = () => {
    throw new Error('gone')
  }
  await tree.refresh({ all: true })
  t.deepEqual(await namesIn(filesystem, 1), [...here, 'a'])
  t.deepEqual(warnings, ['a folder could not be listed again'])
})

test('all that is below a folder goes with it', async (t) => {
  const { reader, tree, filesystem } = memoryDestination({
    'job/account/snap.1/jetbackup.index': manifestText(1),
    'job/folder/inner/file': '',
    'job/note': '',
    kept: '',
  })
  const paths = ['job', 'job/account', 'job/account/latest', 'job/folder', 'job/folder/inner', 'job/note']
  const entries = await Promise.all(
    [...paths, 'job/folder/inner/file'].map((path) => entryAt(filesystem, path)),
  )
  const nodeids = entries.map((entry) => entry?.attr.ino as number)
  for (const nodeid of nodeids) t.truthy(tree.node(nodeid))
  t.is([...tree.snapshots()].length, 1)
  for (const key of [...reader.objects.keys()]) if (key !== 'kept') reader.objects.delete(key)
  await tree.refresh({ all: true })
  for (const nodeid of nodeids) t.is(tree.node(nodeid), undefined)
  t.is([...tree.snapshots()].length, 0)
})

test('a folder that goes while it is being listed leaves nothing behind', async (t) => {
  const { reader, tree, filesystem } = memoryDestination({ 'folder/file': '' })
  await entryAt(filesystem, 'folder/file')
  const folder = tree.node((await entryAt(filesystem, 'folder'))?.attr.ino as number) as Folder
  reader.objects.clear()
  const gate = Promise.withResolvers<void>()
  reader.beforeList = (prefix) => (prefix === 'folder/' ? gate.promise : undefined)
  const refreshed = tree.refresh({ all: true })
  while (tree.node(folder.nodeid) !== undefined) await new Promise(setImmediate)
  reader.objects.set('folder/new', '')
  gate.resolve()
  await refreshed
  t.deepEqual([...(folder.listing?.children.keys() ?? [])], ['file'])
})

test('a superseded snapshot lives on for who is in it, and its manifest with it', async (t) => {
  const { reader, tree, filesystem } = memoryDestination({
    'account/snap.1/jetbackup.index': manifestText(1),
  })
  const old = (await entryAt(filesystem, 'account/snap.1'))?.attr.ino as number
  const [snapshot] = tree.snapshots()
  const manifest = snapshot && tree.manifestFile(snapshot)
  reader.objects.set('account/snap.1/jetbackup.index', manifestText(2))
  await tree.refresh({ all: true })
  const current = (await entryAt(filesystem, 'account/snap.1'))?.attr.ino as number
  t.not(current, old)
  t.is(tree.snapshot(snapshot?.slot as number), snapshot)
  t.is(tree.node(manifest?.nodeid as number), manifest)
  filesystem.forget(old, 1)
  t.is(tree.snapshot(snapshot?.slot as number), undefined)
  t.is(tree.node(manifest?.nodeid as number), undefined)
  t.is([...tree.snapshots()].length, 1)
})

test('of two things with one name the first is shown, the same one after each refresh', async (t) => {
  const { tree, filesystem, warnings } = memoryDestination({
    customer: 'an object beside a folder',
    'customer/snap.1/jetbackup.index': manifestText(1),
    'customer/snap.1': 'an object',
    'customer/latest': 'an object',
    'customer/latest/file': '',
  })
  const shown = async (): Promise<unknown[]> => {
    const entries = ['customer', 'customer/snap.1', 'customer/latest'].map((path) =>
      entryAt(filesystem, path),
    )
    return (await Promise.all(entries)).map((entry) => [entry?.attr.ino, (entry?.attr.mode ?? 0) >> 12])
  }
  const first = await shown()
  t.deepEqual(
    first.map((entry) => (entry as number[])[1]),
    [4, 4, 10],
  )
  const [folder] = first[0] as [number, number]
  t.deepEqual(await namesIn(filesystem, folder), [...here, 'latest', 'snap.1'])
  await tree.refresh({ all: true })
  await tree.refresh({ all: true })
  t.deepEqual(await shown(), first)
  t.is(tree.node((first[2] as number[])[0] as number)?.nodeid, (first[2] as number[])[0])
  t.is(warnings.filter((warning) => /one name/.test(warning)).length, 3)
})

test('what is listed again after a publish is not the answer of a listing that began before it', async (t) => {
  const { reader, tree, filesystem } = memoryDestination({ 'account/a': '' })
  const account = (await entryAt(filesystem, 'account'))?.attr.ino as number
  await namesIn(filesystem, account)
  await tree.refresh({ all: false })
  await tree.refresh({ all: false })
  const gate = Promise.withResolvers<void>()
  reader.listed.length = 0
  reader.beforeList = (prefix) => (prefix === 'account/' ? gate.promise : undefined)
  const looking = entryAt(filesystem, 'account/a')
  while (!reader.listed.includes('account/')) await new Promise((resolve) => setImmediate(resolve))
  const relisting = tree.relist('account/')
  gate.resolve()
  await Promise.all([looking, relisting])
  t.deepEqual(
    reader.listed.filter((prefix) => prefix === 'account/'),
    ['account/', 'account/'],
  )
})

/** What one snapshot of `account/` is changed by, under the numbers that it has at a time. */
function changing(...numbers: number[]): {
  readonly local: LocalSnapshots
  readonly working: WritableSnapshot
  numbers: number[]
} {
  const working = {} as WritableSnapshot
  const state = { working, numbers }
  const local: LocalSnapshots = {
    get: (_, number) => (state.numbers.includes(number) ? working : undefined),
    numbers: () => state.numbers,
    repositories: () => ['account/'],
  }
  return Object.assign(state, { local })
}

test('a snapshot that gets another number is the same one, whatever a listing finds meanwhile', async (t) => {
  const state = changing(1)
  const { local } = state
  const { reader, tree } = memoryDestination({ 'account/snap.1/jetbackup.index': manifestText(1) }, { local })
  const root = await tree.listing(tree.root, {})
  const account = root.children.get('account')?.target as Folder
  const target = async (name: string) => (await tree.listing(account, {})).children.get(name)?.target
  const snapshot = (await target('snap.1')) as MountedSnapshot
  t.is(snapshot.working, state.working)

  // It has its number already, and is not published under it.
  state.numbers = [2]
  await tree.relist('account/')
  t.is(await target('snap.2'), snapshot)
  reader.objects.set('account/snap.2/jetbackup.index', manifestText(1, 2))
  await tree.relist('account/')
  t.is(await target('snap.2'), snapshot)
  const former = (await target('snap.1')) as MountedSnapshot
  t.is(former.working, undefined, 'as it is published still')

  reader.objects.delete('account/snap.1/jetbackup.index')
  tree.renameSnapshot(account, 'snap.1', snapshot, 2)
  await tree.relist('account/')
  t.is(await target('snap.1'), undefined)
  t.is(await target('snap.2'), snapshot)
  t.like(snapshot, { isSuperseded: false, entry: { number: 2, name: 'snap.2' } })
  t.true(former.isSuperseded)
})

test('a listing that began before a snapshot was published first does not take it away', async (t) => {
  const { local, working } = changing(1)
  const { reader, tree } = memoryDestination({ 'account/note': '' }, { local })
  const root = await tree.listing(tree.root, {})
  const account = root.children.get('account')?.target as Folder
  const first = (await tree.listing(account, {})).children.get('snap.1')?.target as MountedSnapshot
  t.is(first.working, working)
  reader.objects.set('account/snap.1/jetbackup.index', manifestText(1))
  await tree.relist('account/')
  t.not(first.entry.manifest, undefined)
  // As that listing had it.
  reader.objects.delete('account/snap.1/jetbackup.index')
  await tree.relist('account/')
  t.is((await tree.listing(account, {})).children.get('snap.1')?.target, first)
  t.not(first.entry.manifest, undefined)
})

test('the manifest of a snapshot that is published once more is the new one, and the kernel is told', async (t) => {
  const { local } = changing(1)
  const path = 'account/snap.1/jetbackup.index'
  const { reader, tree, changes } = memoryDestination({ [path]: manifestText(1) }, { local })
  const root = await tree.listing(tree.root, {})
  const account = root.children.get('account')?.target as Folder
  const snapshot = (await tree.listing(account, {})).children.get('snap.1')?.target as MountedSnapshot
  const file = tree.manifestFile(snapshot) as TextFile
  t.is(file.bytes.toString(), manifestText(1))
  reader.objects.set(path, manifestText(2))
  await tree.relist('account/')
  t.is(tree.manifestFile(snapshot), file)
  t.is(file.bytes.toString(), manifestText(2))
  t.deepEqual(
    changes.filter(([prefix]) => prefix === '?'),
    [['?', []]],
  )
})

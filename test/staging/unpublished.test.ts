import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Ino } from '../../src/snapshot/tree.ts'
import { unpublishedPlaces, unpublishedWork, workingFolder } from '../../src/staging/unpublished.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'
import { addFile, name, staging } from './working.ts'

const place = 's3://bucket/backups'
const writer = { mountpoint: '/mnt', mountAgain: 'jbfs mount --read-write offsite /mnt' }
/** Of what was never started: no process has the number 0. */
const gone = { ...writer, pid: 0, process: 'boot pid:[1] 1' }

/** A state directory in which a process that is gone has left a working snapshot whose database is `database`. */
async function leftIn(t: ExecutionContext, database: string): Promise<{ stateDir: string; folder: string }> {
  const stateDir = await temporaryFolder(t)
  const folder = workingFolder(stateDir, 'name', place, writer)
  await mkdir(join(folder, '1'))
  await writeFile(join(folder, '1/working.sqlite'), database)
  await writeFile(join(folder, 'writer'), JSON.stringify(gone))
  return { stateDir, folder }
}

test('what cannot be read waits all the same, and says why', async (t) => {
  const { stateDir, folder } = await leftIn(t, 'no database '.repeat(100))
  const problem = 'file is not a database'
  const left = { place, snapshots: 1, files: 0, bytes: 0, problem }
  t.deepEqual(unpublishedWork(stateDir), [{ ...writer, ...left }])
  await rm(join(folder, 'writer'))
  t.deepEqual(unpublishedWork(stateDir), [
    { mountpoint: folder, mountAgain: 'jbfs mount --read-write', ...left },
  ])
})

test('what was never begun whole does not wait, nor what a living process has', async (t) => {
  const { stateDir, folder } = await leftIn(t, '')
  t.deepEqual(unpublishedWork(stateDir), [])
  t.deepEqual(unpublishedPlaces(stateDir), [place])
  await writeFile(join(folder, '1/working.sqlite'), 'no database '.repeat(100))
  workingFolder(stateDir, 'name', place, writer)
  t.deepEqual(unpublishedWork(stateDir), [])
  t.deepEqual(unpublishedWork(join(stateDir, 'missing')), [])
})

test('of a working snapshot the files count that have a name and are not stored', async (t) => {
  const { begin, folder } = await staging(t)
  const left = workingFolder(folder, 'name', place, writer)
  await writeFile(join(left, 'writer'), JSON.stringify(gone))
  const snapshot = begin('name/7')
  const files = ['first', 'second', 'unnamed'].map((text) => addFile(snapshot.tree, text))
  for (const ino of files) {
    snapshot.opened(ino, true)
    snapshot.write(ino, 0, Buffer.alloc(100), false)
  }
  snapshot.tree.unlink(snapshot.tree.root, name('unnamed'))
  // Of which the database does not know yet.
  snapshot.write(files[0] as Ino, 100, Buffer.alloc(50), false)
  t.like(unpublishedWork(folder), [{ snapshots: 1, files: 2, bytes: 250, problem: undefined }])
  for (const ino of files) snapshot.closed(ino, true)
  await snapshot.publish({})
  t.deepEqual(unpublishedWork(folder), [])
  await snapshot.publishing.renumber(8, {})
  t.like(unpublishedWork(folder), [{ snapshots: 1, files: 0 }], 'its old number is to be left')
})

test('work that was left under another path of the same place is taken up, and of no other place', async (t) => {
  const path = await temporaryFolder(t)
  const [stateDir, real, link] = [join(path, 'state'), join(path, 'real'), join(path, 'link')]
  await mkdir(real)
  await symlink('real', link)
  const left = workingFolder(stateDir, 'of the link', link, writer)
  const folderFor = (place: string): string => workingFolder(stateDir, 'of the folder', place, writer)
  const own = join(stateDir, 'working/of the folder')
  t.is(folderFor(real), own, 'nothing waits')
  await mkdir(join(left, '1'))
  t.is(folderFor(path), own)
  t.is(folderFor(real), left)
  t.deepEqual(unpublishedPlaces(stateDir), [real])
  await mkdir(join(own, '2'))
  t.is(folderFor(real), own)
})

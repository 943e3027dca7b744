import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { Secret } from '../../src/base/secret.ts'
import { backupDirectoryOf } from '../../src/destination/backup-directory.ts'
import { parseDestination, storeDefaults } from '../../src/destination/parse-destination.ts'
import { splitRepository } from '../../src/destination/split-repository.ts'
import { temporaryFolder } from '../support/mounted.ts'

const options = { logger: silentLogger }

/** Where the owner of a repository is, and what its keys begin with there. */
async function found(repository: string): Promise<unknown> {
  const place = splitRepository(parseDestination(repository))
  const owned = await backupDirectoryOf(place, options)
  return [owned.destination.kind === 'directory' && owned.destination.path, owned.repository]
}

test('the nearest owner above a repository, or in it, is the one all its writers meet at', async (t) => {
  await using folder = await temporaryFolder()
  const { path } = folder
  await mkdir(join(path, 'a/b/c'), { recursive: true })
  t.deepEqual(await found(`${path}/a/b/c/d`), [`${path}/a/b/c`, 'd/'], 'nobody owns it: as it was named')
  await writeFile(join(path, 'a/jetbackup.owner'), 'anything')
  t.deepEqual(await found(`${path}/a/b/c/d`), [`${path}/a`, 'b/c/d/'])
  t.deepEqual(await found(`${path}/a/b`), [`${path}/a`, 'b/'])
  t.deepEqual(await found(`${path}/a`), [`${path}/a`, ''])
  await writeFile(join(path, 'a/b/jetbackup.owner'), 'anything')
  t.deepEqual(await found(`${path}/a/b/c/d/snap.3`), [`${path}/a/b`, 'c/d/'])
  t.deepEqual(await found(`${path}/a/b/c`), [`${path}/a/b`, 'c/'])
  t.deepEqual(await found(`${path}/a/c`), [`${path}/a`, 'c/'])
})

test('the folders above a symlink are those of the folder it leads to', async (t) => {
  await using folder = await temporaryFolder()
  const { path } = folder
  await mkdir(join(path, 'owned/inner'), { recursive: true })
  await writeFile(join(path, 'owned/jetbackup.owner'), 'anything')
  await symlink('owned/inner', join(path, 'link'))
  t.deepEqual(await found(`${path}/link/repository`), [`${path}/owned`, 'inner/repository/'])
})

test('a store that cannot be asked is an error, and not a directory without an owner', async (t) => {
  const store = { ...storeDefaults, endpoint: 'http://127.0.0.1:1', httpRetries: 0 }
  const credentials = { accessKey: new Secret('some'), secretKey: new Secret('thing') }
  const place = splitRepository(parseDestination('s3://bucket/a/b', { ...store, credentials }))
  await t.throwsAsync(backupDirectoryOf(place, options), { code: 'unavailable' })
})

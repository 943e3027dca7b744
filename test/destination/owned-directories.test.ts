import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { openDestination } from '../../src/destination/destination.ts'
import { ownedDirectories } from '../../src/destination/owned-directories.ts'
import { type DirectoryDestination, storeDefaults } from '../../src/destination/parse-destination.ts'
import { temporaryFolder } from '../support/mounted.ts'

test('each repository belongs to the nearest folder with an owner, from its own upwards', async (t) => {
  await using folder = await temporaryFolder()
  const at = (path: string): DirectoryDestination => ({
    kind: 'directory',
    path: join(folder.path, path),
    store: storeDefaults,
  })
  const owned = async (path: string): Promise<void> => {
    await mkdir(join(folder.path, path), { recursive: true })
    await writeFile(join(folder.path, path, 'jetbackup.owner'), '{}')
  }
  await owned('top/mid/web')
  await owned('top/mid/mail/own')
  const given = at('top/mid')
  const look = async (): Promise<[string, string[][]][]> => {
    using opened = openDestination(given, { logger: silentLogger })
    const options = {
      reader: opened.reader,
      unowned: { destination: given, repository: '' },
      logger: silentLogger,
    }
    const repositories = ['mail/else/', 'mail/own/', 'web/a/', 'web/b/']
    return (await ownedDirectories(given, repositories, options)).map(({ destination, repositories }) => [
      (destination as DirectoryDestination).path.slice(folder.path.length + 1),
      repositories.map(({ prefix, given }) => [prefix, given]),
    ])
  }
  const below: [string, string[][]][] = [
    ['top/mid/mail/own', [['', 'mail/own/']]],
    [
      'top/mid/web',
      [
        ['a/', 'web/a/'],
        ['b/', 'web/b/'],
      ],
    ],
  ]
  t.deepEqual(await look(), [['top/mid', [['mail/else/', 'mail/else/']]], ...below])
  await owned('top')
  t.deepEqual(await look(), [['top', [['mid/mail/else/', 'mail/else/']]], ...below])
})

import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { folderNames } from '../../src/base/folder-names.ts'
import { mounts } from '../../src/base/mountinfo.ts'
import { temporaryFolder } from '../support/mounted.ts'

const table = mounts(`21 1 8:1 / / rw - ext4 /dev/sda1 rw
22 21 8:17 / /data rw - ext4 /dev/sdb1 rw
23 21 8:17 /backups/web /srv/jail\\040one rw - ext4 /dev/sdb1 rw
24 22 0:40 / /data/backups/web/inner rw - tmpfs none rw
`)

test('a folder has one name by each path that leads to it, and so have those around it', (t) => {
  const around = ['8:17 /backups/web', '8:17 /backups', '8:17 /']
  t.deepEqual(folderNames('/data/backups/web', table), [
    ...around,
    '8:17 /backups',
    '8:17 /',
    '8:17 /',
    '8:1 /',
  ])
  t.deepEqual(folderNames('/srv/jail one', table), [...around, '8:1 /srv', '8:1 /', '8:1 /'])
  t.is(folderNames('/srv/jail one/a', table)[0], folderNames('/data/backups/web/a', table)[0])
  const inner = folderNames('/data/backups/web/inner/a', table)
  t.deepEqual(inner.slice(0, 3), ['0:40 /a', '0:40 /', '0:40 /'])
  t.true(inner.includes('8:17 /backups/web'))
  t.deepEqual(folderNames('/a', []), [' /a', ' /', ' /'])
})

test('a symlink has the name of what it leads to, and what is not there yet has one', async (t) => {
  await using folder = await temporaryFolder()
  const [real, link] = [join(folder.path, 'real'), join(folder.path, 'link')]
  await mkdir(real)
  await symlink('real', link)
  for (const below of ['', '/new/one']) t.deepEqual(folderNames(link + below), folderNames(real + below))
})

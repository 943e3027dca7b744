import { spawnSync } from 'node:child_process'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import test from 'ava'
import { folderMark, removeLeftFolders } from '../../src/import/left-folders.ts'
import { makeTemporaryFolder } from '../../src/import/temporary-folder.ts'
import { temporaryFolder } from '../support/mounted.ts'

/** The number of a process that was, and is no more. */
function deadPid(): number {
  return spawnSync('true').pid
}

test.serial('folders of processes that were killed are removed when the next one is made', async (t) => {
  await using folder = await temporaryFolder()
  const { path } = folder
  const mark = folderMark()
  const ofDead = mark.replace(/^\d+/, String(deadPid()))
  const ofReused = mark.replace(/-\d+-/, '-1-')
  const left = [`jbfs-import-${ofDead}abcdef`, `jbfs-archive-${ofReused}ABC123`]
  const kept = [
    `jbfs-import-${mark}abcdef`,
    `jbfs-import-${ofDead.replace(/[0-9a-f]{16}/, '0123456789abcdef')}abcdef`,
    'jbfs-import-abcdef',
    `other-${ofDead}abcdef`,
  ]
  for (const name of [...left, ...kept]) {
    await mkdir(join(path, name))
    await writeFile(join(path, name, 'working.sqlite'), 'x')
  }
  await writeFile(join(path, `jbfs-gc-${ofDead}abcdef`), 'a file is none of ours')
  const before = process.env.TMPDIR
  process.env.TMPDIR = path
  try {
    const made = await makeTemporaryFolder('jbfs-import-')
    t.is((await stat(made)).mode & 0o777, 0o700)
    const names = [...kept, `jbfs-gc-${ofDead}abcdef`, basename(made)]
    t.deepEqual((await readdir(path)).sort(), names.sort())
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  }
})

test('a folder for temporary files that is not there is no reason to fail here', async (t) => {
  await t.notThrowsAsync(removeLeftFolders('/no/such/folder'))
})

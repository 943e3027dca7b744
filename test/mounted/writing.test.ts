import {
  appendFile,
  glob,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { writeSampleAccount } from '../../src/sample/sample-account.ts'
import { output, run } from '../support/run.ts'
import { writingTest } from '../support/writing-mount.ts'

/** A destination in a folder, mounted for writing, through the kernel. */

const same = ['-aHAX', '--dry-run', '--checksum', '--itemize-changes']

writingTest('a whole account goes in with rsync and is the same for another server', async (t, scene) => {
  const { folder, repository } = scene
  const source = join(folder, 'source')
  await writeSampleAccount(source, { files: 150, seed: 5, hardCases: true })
  // Holes are written as zeros without --sparse.
  await output('rsync', ['-aHAX', '--sparse', '--exclude=*5-gib*', `${source}/`, `${repository}/snap.1`])
  t.is(await output('rsync', [...same, '--exclude=*5-gib*', `${source}/`, `${repository}/snap.1/`]), '')
  const { code, stderr } = await scene.umount()
  t.is(code, 0, stderr)
  const differences = await scene.published((published) =>
    output('rsync', [...same, '--exclude=*5-gib*', `${source}/`, `${published}/snap.1/`]),
  )
  t.is(differences, '')
})

writingTest('another day shares what has not changed', async (t, scene) => {
  const { destination, repository, folder } = scene
  const source = join(folder, 'source')
  await mkdir(source)
  for (let i = 0; i < 100; i++) await writeFile(join(source, `file-${i}`), `content ${i}`)
  await output('rsync', ['-a', `${source}/`, `${repository}/snap.1/`])
  await scene.jbfs('publish', scene.mount.path)
  t.is((await readdir(join(destination, 'customer/files'))).length, 100)
  await writeFile(join(source, 'file-7'), 'another content')
  await output('rsync', ['-a', '--link-dest=../snap.1', `${source}/`, `${repository}/snap.2/`])
  await scene.jbfs('publish', scene.mount.path)
  const shown = async () => JSON.parse(await readFile(`${repository}/snap.2/jetbackup.index`, 'utf8')).jbfs
  t.is((await shown()).files, 100)
  await writeFile(`${repository}/snap.2/late`, 'late')
  await scene.jbfs('publish', scene.mount.path)
  t.is((await shown()).files, 101, 'the manifest that is shown is the present one')
  await output('cp', ['-al', `${repository}/snap.2`, `${repository}/snap.3`])
  await output('cp', ['-r', '--reflink=auto', `${repository}/snap.3`, `${repository}/snap.4`])
  await appendFile(join(repository, 'snap.3/file-8'), ', more')
  t.is(await readFile(join(repository, 'snap.2/file-8'), 'utf8'), 'content 8')
  t.is((await scene.umount()).code, 0)
  t.is((await readdir(join(destination, 'customer/files'))).length, 103)
  await scene.published(async (published) => {
    t.is(await readFile(join(published, 'snap.1/file-7'), 'utf8'), 'content 7')
    t.is(await readFile(join(published, 'snap.2/file-7'), 'utf8'), 'another content')
    t.is(await readFile(join(published, 'snap.3/file-8'), 'utf8'), 'content 8, more')
    t.is(await readFile(join(published, 'snap.4/file-8'), 'utf8'), 'content 8')
  })
})

writingTest(
  'a published snapshot is changed in place, and another server sees the old state until the new one is whole',
  async (t, scene) => {
    const { repository } = scene
    const snapshot = join(repository, 'snap.1')
    await mkdir(snapshot)
    await writeFile(join(snapshot, 'kept'), 'kept')
    await writeFile(join(snapshot, 'grown'), 'x'.repeat(10_000))
    await writeFile(join(snapshot, 'gone'), 'gone')
    t.is((await scene.umount()).code, 0)
    await using mount = await scene.again()
    const changed = join(mount.path, 'customer/snap.1')
    await appendFile(join(changed, 'grown'), 'end')
    await truncate(join(changed, 'kept'), 2)
    await rm(join(changed, 'gone'))
    await rename(join(changed, 'kept'), join(changed, 'renamed'))
    await symlink('renamed', join(changed, 'link'))
    await scene.published(async (published) => {
      t.deepEqual((await readdir(join(published, 'snap.1'))).sort(), [
        'gone',
        'grown',
        'jetbackup.index',
        'kept',
      ])
      t.is((await stat(join(published, 'snap.1/grown'))).size, 10_000)
    })
    const { code, stderr } = await scene.jbfs('umount', mount.path)
    t.is(code, 0, stderr)
    await scene.published(async (published) => {
      t.deepEqual((await readdir(join(published, 'snap.1'))).sort(), [
        'grown',
        'jetbackup.index',
        'link',
        'renamed',
      ])
      t.is(await readFile(join(published, 'snap.1/link'), 'utf8'), 'ke')
      t.is((await readFile(join(published, 'snap.1/grown'), 'utf8')).slice(9_998), 'xxend')
    })
  },
)

writingTest('what a killed daemon had acknowledged is there again, and is published', async (t, scene) => {
  const { repository, mount } = scene
  await mkdir(join(repository, 'snap.1'))
  await writeFile(join(repository, 'snap.1/file'), 'acknowledged')
  mount.daemon.kill('SIGKILL')
  await mount.ended
  // Its watcher may have cleared the mount already.
  await run('umount', ['-l', '-c', '-i', mount.path])
  await using again = await scene.again()
  t.is(await readFile(join(again.path, 'customer/snap.1/file'), 'utf8'), 'acknowledged')
  t.is((await scene.jbfs('umount', again.path)).code, 0)
  await scene.published(async (published) =>
    t.is(await readFile(join(published, 'snap.1/file'), 'utf8'), 'acknowledged'),
  )
})

writingTest('who removes a file as soon as it is written goes on', async (t, scene) => {
  const snapshot = join(scene.repository, 'snap.1')
  await mkdir(snapshot)
  for (let i = 0; i < 30; i++) {
    await writeFile(join(snapshot, 'file'), `content ${i}`)
    await rm(join(snapshot, 'file'))
  }
  await writeFile(join(snapshot, 'last'), 'last')
  t.is((await scene.umount()).code, 0)
  await scene.published(async (published) =>
    t.is(await readFile(join(published, 'snap.1/last'), 'utf8'), 'last'),
  )
})

writingTest('a snapshot is removed with all it holds', async (t, scene) => {
  const { repository, destination } = scene
  await mkdir(join(repository, 'snap.1/folder'), { recursive: true })
  await writeFile(join(repository, 'snap.1/folder/file'), 'content')
  await scene.jbfs('publish', scene.mount.path)
  await output('rm', ['-r', join(repository, 'snap.1')])
  t.is((await scene.umount()).code, 0)
  const left = await readdir(join(destination, 'customer'), { recursive: true })
  t.deepEqual(
    left.filter((name) => !/^files(\/[0-9a-f]{24})?$/.test(name)),
    [],
    'objects go when they are collected',
  )
})

writingTest('a snapshot is given another number, while somebody is in it', async (t, scene) => {
  const { repository, destination } = scene
  await mkdir(join(repository, 'snap.1'))
  await writeFile(join(repository, 'snap.1/file'), 'content')
  await scene.jbfs('publish', scene.mount.path)
  await using inside = await open(join(repository, 'snap.1/file'))
  await rename(join(repository, 'snap.1'), join(repository, 'snap.7'))
  t.is((await inside.read(Buffer.alloc(7), 0, 7, 0)).buffer.toString(), 'content')
  t.deepEqual((await readdir(join(repository, 'snap.7'))).sort(), ['file', 'jetbackup.index'])
  await appendFile(join(repository, 'snap.7/file'), ', more')
  await inside.close()
  t.is((await scene.umount()).code, 0)
  t.deepEqual(await readdir(join(destination, 'customer/export')), ['snap.7', 'snap.7.1'])
  await scene.published(async (published) => {
    t.deepEqual((await readdir(published)).sort(), ['latest', 'snap.7'])
    t.is(await readFile(join(published, 'snap.7/file'), 'utf8'), 'content, more')
  })
})

writingTest('the umask is for what no default ACL decides about', async (t, scene) => {
  const snapshot = join(scene.repository, 'snap.1')
  await mkdir(join(snapshot, 'folder'), { recursive: true })
  await output('setfacl', ['-d', '-m', 'u:1000:rwx,g::rx,o::r', join(snapshot, 'folder')])
  const make = 'umask 077; for in in . folder; do touch $in/file; mkfifo $in/fifo; mkdir $in/made; done'
  await output('sh', ['-ec', `cd "$1"; ${make}`, '', snapshot])
  const modeOf = async (path: string): Promise<number> => (await stat(join(snapshot, path))).mode & 0o777
  t.deepEqual(await Promise.all(['file', 'fifo', 'made'].map(modeOf)), [0o600, 0o600, 0o700])
  const inherited = ['folder/file', 'folder/fifo', 'folder/made'].map(modeOf)
  t.deepEqual(await Promise.all(inherited), [0o664, 0o664, 0o774])
  const acl = await output('getfacl', ['-cnE', join(snapshot, 'folder/file')])
  t.is(acl.trim(), 'user::rw-\nuser:1000:rwx\ngroup::r-x\nmask::rw-\nother::r--')
})

writingTest('a time of access that is set is shown while the mount lives', async (t, scene) => {
  const snapshot = join(scene.repository, 'snap.1')
  await mkdir(snapshot)
  for (const name of ['file', 'untouched']) await writeFile(join(snapshot, name), 'content')
  await utimes(join(snapshot, 'file'), 1.5, 2.25)
  await readFile(join(snapshot, 'file'))
  t.like(await stat(join(snapshot, 'file')), { atimeMs: 1500, mtimeMs: 2250 })
  const { atimeMs, mtimeMs } = await stat(join(snapshot, 'untouched'))
  t.is(atimeMs, mtimeMs)
  t.is((await scene.umount()).code, 0)
  await scene.published(async (published) =>
    t.like(await stat(join(published, 'snap.1/file')), { atimeMs: 2250, mtimeMs: 2250 }),
  )
})

writingTest(
  '`rm -r` removes an account with all its snapshots, and what is shown beside them',
  async (t, scene) => {
    const { mount, repository, jbfs, umount, published } = scene
    for (const name of ['snap.1', 'snap.2']) {
      await mkdir(join(repository, name))
      await writeFile(join(repository, name, 'file'), 'content')
    }
    t.is((await jbfs('publish', mount.path)).code, 0)
    while (!(await readdir(repository)).includes('latest')) await delay(50)
    // Taken away alone it comes back: it stands for a snapshot.
    await rm(join(repository, 'latest'))
    t.deepEqual((await readdir(repository)).sort(), ['latest', 'snap.1', 'snap.2'])
    // Without -f: nothing may be gone before its turn.
    await output('rm', ['-r', repository])
    t.deepEqual(await readdir(mount.path), [])
    await umount()
    await published(async (repository) => {
      // Its objects are there until they are collected.
      t.deepEqual(await readdir(repository), [])
    })
  },
)

writingTest('what is removed leaves nothing behind in the state directory', async (t, scene) => {
  const snapshot = join(scene.repository, 'snap.1')
  await mkdir(join(snapshot, 'folder/inner'), { recursive: true })
  for (let i = 0; i < 30; i++) await writeFile(join(snapshot, `folder/${i}`), 'content')
  const held = await open(join(snapshot, 'folder/0'))
  await output('rm', ['-r', join(snapshot, 'folder')])
  t.is((await held.readFile()).toString(), 'content')
  await held.close()
  const [path] = await Array.fromAsync(glob(join(scene.stateDir, 'working/*/1/working.sqlite')))
  using database = new DatabaseSync(path as string, { readOnly: true })
  const left = (): unknown => database.prepare('SELECT count(*) AS inodes FROM inode').get()?.inodes
  // The kernel forgets them when it has the time.
  while (left() !== 1) await delay(20)
  t.pass()
})

writingTest('where something else writes, no snapshot is begun', async (t, { destination, mount }) => {
  await mkdir(join(destination, 'vendor/snap.1'), { recursive: true })
  await writeFile(join(destination, 'vendor/snap.1/jetbackup.index'), '{"created": 1650000000}')
  mount.daemon.kill('SIGHUP')
  const vendor = join(mount.path, 'vendor')
  await until(async () => (await readdir(mount.path)).includes('vendor'))
  await t.throwsAsync(mkdir(join(vendor, 'snap.2')), { code: 'EROFS' })
  t.deepEqual(await readdir(join(destination, 'vendor')), ['snap.1'])
})

writingTest('no folder is made of which readers would know nothing', async (t, { repository, mount }) => {
  for (const name of ['files', 'files03', 'export', 'jetbackup.owner'])
    for (const folder of [mount.path, repository])
      await t.throwsAsync(mkdir(join(folder, name)), { code: 'EPERM' }, name)
  for (const name of ['snap.0', 'snap.01', 'snap.99999999999'])
    await t.throwsAsync(mkdir(join(repository, name)), { code: 'EINVAL' }, name)
  t.deepEqual(await readdir(repository), [])
  await mkdir(join(repository, 'snap.1/files'), { recursive: true })
})

writingTest('mv copies no repository because it cannot have another name', async (t, scene) => {
  const { repository, mount } = scene
  await mkdir(join(repository, 'snap.1'))
  const denied = { code: 'EPERM' }
  await t.throwsAsync(rename(repository, join(mount.path, 'client')), denied)
  await mkdir(join(mount.path, 'others'))
  await t.throwsAsync(rename(repository, join(mount.path, 'others/customer')), denied)
  await t.throwsAsync(rename(join(repository, 'snap.1'), join(repository, 'first')), { code: 'EINVAL' })
  await t.throwsAsync(rename(join(repository, 'snap.1'), join(mount.path, 'others/snap.1')), {
    code: 'EXDEV',
  })
  t.deepEqual(await readdir(repository), ['snap.1'])
})

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(50)
}

writingTest('git works inside a snapshot', async (t, scene) => {
  const work = join(scene.repository, 'snap.1/work')
  await mkdir(work, { recursive: true })
  const git = (...args: string[]): Promise<string> =>
    output('git', [
      '-c',
      'user.name=a',
      '-c',
      'user.email=a@example.com',
      '-c',
      'safe.directory=*',
      '-C',
      work,
      ...args,
    ])
  await git('init', '-q')
  await writeFile(join(work, 'file'), 'content\n')
  await git('add', '.')
  await git('commit', '-qm', 'first')
  t.is(await git('status', '--porcelain'), '')
  t.is((await scene.umount()).code, 0)
})

writingTest(
  'files that are larger than the staging area go through it, and are read while they are on their way',
  async (t, { repository, folder, umount, published, mount, again }) => {
    const snapshot = join(repository, 'snap.1')
    await mkdir(snapshot)
    const source = join(folder, 'source')
    await output('dd', ['if=/dev/urandom', `of=${source}`, 'bs=1M', 'count=150', 'status=none'])
    await output('cp', [source, join(snapshot, 'copy')])
    await output('cmp', [source, join(snapshot, 'copy')])
    // Half of it is there when the daemon dies.
    await output('cp', [source, join(snapshot, 'other')])
    mount.daemon.kill('SIGKILL')
    await mount.ended
    await run('umount', ['-l', mount.path])
    await using _mount = await again()
    await output('cmp', [source, join(snapshot, 'other')])
    t.is((await umount()).code, 0)
    await published(async (there) => {
      for (const name of ['copy', 'other']) await output('cmp', [source, join(there, 'snap.1', name)])
    })
  },
  ['--staging', '64M'],
)

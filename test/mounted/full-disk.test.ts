import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { jbfsProgram, mountDestination, temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { output, run } from '../support/run.ts'
import { runJbfs } from '../support/run-jbfs.ts'
import { testUnless } from '../support/test-unless.ts'

testUnless(test, whyNoMounts())('a full cache folder is ENOSPC until there is room', async (t) => {
  await using cleanup = new AsyncDisposableStack()
  const folder = cleanup.use(await temporaryFolder())
  const [source, destination, cache] = ['source', 'destination', 'cache'].map((name) =>
    join(folder.path, name),
  ) as [string, string, string]
  for (const path of [source, destination, cache]) await mkdir(path)
  await writeFile(join(source, 'file'), 'x')
  await output(process.execPath, [jbfsProgram, 'import', source, join(destination, 'customer/snap.1')])
  // An empty index has more pages.
  await output('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', cache])
  cleanup.defer(async () => void (await output('umount', [cache])))
  const mount = cleanup.use(await mountDestination(folder.path, destination))
  const snapshot = join(mount.path, 'customer/snap.1')
  await t.throwsAsync(readdir(snapshot), { code: 'ENOSPC' })
  t.notRegex(await mount.log(), /not foreseen/)
  await output('mount', ['-o', 'remount,size=4m', cache])
  t.deepEqual(await readdir(snapshot), ['file', 'jetbackup.index'])
})

testUnless(test, whyNoMounts())(
  'status says why nothing can be written when the state folder is full',
  async (t) => {
    await using cleanup = new AsyncDisposableStack()
    const folder = cleanup.use(await temporaryFolder())
    const [destination, state] = [join(folder.path, 'destination'), join(folder.path, 'state')]
    for (const path of [destination, state]) await mkdir(path)
    await output('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', state])
    cleanup.defer(async () => void (await output('umount', [state])))
    const env = { HOME: folder.path }
    const args = ['--read-write', '--state-dir', state]
    const mount = cleanup.use(await mountDestination(folder.path, destination, { args, env }))
    const snapshot = join(mount.path, 'customer/snap.1')
    await mkdir(snapshot, { recursive: true })
    const status = async (): Promise<string> => (await runJbfs(['status', mount.path], { env })).stdout
    t.notRegex(await status(), /state folder/)
    await run('dd', ['if=/dev/zero', `of=${join(state, 'filler')}`, 'bs=64k'])
    await t.throwsAsync(writeFile(join(snapshot, 'file'), 'x'.repeat(1 << 20)), { code: 'ENOSPC' })
    t.regex(await status(), /^ {2}state folder \d+ s ago a change failed: the .* is full/m)
    await rm(join(state, 'filler'))
    t.is((await runJbfs(['umount', mount.path], { env })).code, 0)
  },
)

import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { jbfsProgram, mountDestination, temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { output } from '../support/run.ts'
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

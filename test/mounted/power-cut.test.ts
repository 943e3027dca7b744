import { spawnSync } from 'node:child_process'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { prepareCutDisk } from '../support/cut-disk.ts'
import {
  type MountedDestination,
  mountDestination,
  temporaryFolder,
  whyNoMounts,
} from '../support/mounted.ts'
import { run } from '../support/run.ts'
import { runJbfs, type TextResult } from '../support/run-jbfs.ts'
import { testUnless } from '../support/test-unless.ts'

/** What is durable is there after the power of the state folder's disk was cut; a killed daemon's files are all in the system's memory still. */

function whyNoCut(): string | undefined {
  const found = spawnSync('sh', ['-c', 'command -v mkfs.ext4 && losetup -f'], { encoding: 'utf8' })
  return whyNoMounts() ?? (found.status === 0 ? undefined : 'there is no mkfs.ext4, or no loop device')
}

interface Scene {
  readonly mount: MountedDestination
  readonly jbfs: (...args: string[]) => Promise<TextResult>
  /** Mounts again after the power was cut at this moment. */
  cutAndMountAgain(): Promise<MountedDestination>
}

function cutTest(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>): void {
  testUnless(test.serial, whyNoCut())(title, async (t) => {
    await using cleanup = new AsyncDisposableStack()
    const { path: folder } = cleanup.use(await temporaryFolder())
    const disk = cleanup.use(await prepareCutDisk(folder))
    const destination = join(folder, 'destination')
    await mkdir(destination)
    const env = { HOME: folder }
    const args = ['--read-write', '--state-dir', join(disk.path, 'state')]
    const again = async (): Promise<MountedDestination> =>
      cleanup.use(await mountDestination(folder, destination, { args, env }))
    const mount = await again()
    await body(t, {
      mount,
      jbfs: (...typed) => runJbfs(typed, { env }),
      async cutAndMountAgain() {
        await disk.cut()
        mount.daemon.kill('SIGKILL')
        await mount.ended
        await run('umount', ['-l', '-c', '-i', mount.path])
        await disk.restore()
        return again()
      },
    })
  })
}

async function writeSynced(path: string, text: string): Promise<void> {
  await using file = await open(path, 'w')
  await file.writeFile(text)
  await file.sync()
}

cutTest('what fsync has returned for is there, also when its name came long before', async (t, scene) => {
  const snapshot = join(scene.mount.path, 'customer/snap.1')
  await mkdir(snapshot, { recursive: true })
  await writeSynced(join(snapshot, 'first'), 'first')
  await writeSynced(join(snapshot, 'second'), 'second')
  const { path } = await scene.cutAndMountAgain()
  t.is(await readFile(join(path, 'customer/snap.1/first'), 'utf8'), 'first')
  t.is(await readFile(join(path, 'customer/snap.1/second'), 'utf8'), 'second')
})

cutTest('what was published is known to be, and is gone on with', async (t, scene) => {
  const snapshot = join(scene.mount.path, 'customer/snap.1')
  await mkdir(snapshot, { recursive: true })
  await writeSynced(join(snapshot, 'file'), 'first')
  t.is((await scene.jbfs('publish', scene.mount.path)).code, 0)
  await writeSynced(join(snapshot, 'file'), 'second')
  t.is((await scene.jbfs('publish', scene.mount.path)).code, 0)
  const { path } = await scene.cutAndMountAgain()
  const file = join(path, 'customer/snap.1/file')
  t.is(await readFile(file, 'utf8'), 'second')
  await writeSynced(file, 'third')
  const { code, stderr } = await scene.jbfs('umount', path)
  t.is(code, 0, stderr)
})

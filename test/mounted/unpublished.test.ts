import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { flock } from '../../src/base/libc.ts'
import {
  jbfsProgram,
  type MountedDestination,
  mountDestination,
  temporaryFolder,
  whyNoMounts,
} from '../support/mounted.ts'
import { runJbfs, type TextResult } from '../support/run-jbfs.ts'

/** What a user is told of what was written, and is not published. */

interface Scene {
  readonly folder: string
  readonly destination: string
  readonly stateDir: string
  readonly mount: MountedDestination
  /** The command line that goes on with what a mount has left. */
  readonly mountAgain: string
  mountForWriting(): Promise<MountedDestination>
  jbfs(...args: string[]): Promise<TextResult>
}

const reason = whyNoMounts()

/** With a destination in a folder, mounted for writing. */
function unpublishedTest(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>): void {
  if (reason !== undefined) {
    test.skip(`${title} (skipped: ${reason})`, () => {})
    return
  }
  test.serial(title, async (t) => {
    await using folder = await temporaryFolder()
    const { path } = folder
    const [destination, stateDir] = [join(path, 'destination'), join(path, 'state')]
    await mkdir(destination)
    const env = { HOME: path }
    const mountForWriting = (): Promise<MountedDestination> =>
      mountDestination(path, destination, { args: ['--read-write', '--state-dir', stateDir], env })
    await using mount = await mountForWriting()
    await body(t, {
      folder: path,
      destination,
      stateDir,
      mount,
      mountAgain: `jbfs mount --read-write --state-dir=${stateDir} ${destination} ${mount.path}`,
      mountForWriting,
      jbfs: (...args) => runJbfs(args, { env }),
    })
  })
}

unpublishedTest(
  'who has lost the right to write is told so, and what goes on with it',
  async (t, { folder, destination, mount, mountAgain, mountForWriting, jbfs }) => {
    const snapshot = join(mount.path, 'customer/snap.1')
    await mkdir(snapshot, { recursive: true })
    const taken = await jbfs(
      ...['destination', 'takeover', destination, '--yes', '--state-dir', join(folder, 'other')],
    )
    t.is(taken.code, 0, taken.stderr)
    // What is written until the renewal may still be published: the new owner waits for it.
    for (let i = 0; !(await mount.log()).includes('is lost'); i++, await delay(500))
      await writeFile(join(snapshot, 'file'), `content ${i}`).catch(() => {})

    const told = /the right to write to \S+ is lost: .* has taken it .*1 snapshot not published/
    const published = await jbfs('publish', mount.path)
    t.is(published.code, 8, published.stderr)
    t.regex(published.stderr, told)
    t.true(published.stderr.includes(`jbfs umount ${mount.path}, then ${mountAgain} `), published.stderr)
    t.notRegex(published.stderr, /tried again/)

    const unmounted = await jbfs('umount', mount.path)
    t.is(unmounted.code, 8, unmounted.stderr)
    t.regex(unmounted.stderr, told)
    t.true(unmounted.stderr.includes(`To go on with it: ${mountAgain} `), unmounted.stderr)
    t.notRegex(unmounted.stderr, /tried again/)
    t.is(mount.daemon.exitCode, 0, 'the daemon has ended')
    await t.throwsAsync(mountForWriting, { message: /or take it over for good: jbfs destination takeover / })
  },
)

unpublishedTest('when all files are stored, umount shows that it publishes', async (t, scene) => {
  const { folder, destination, mount } = scene
  await mkdir(join(mount.path, 'customer/snap.1'), { recursive: true })
  // Whoever changes something in the folder waits for who has locked it.
  const lock = openSync(destination, 'r')
  t.true(flock(lock, 'exclusive'))
  const umount = spawn(process.execPath, [jbfsProgram, 'umount', mount.path], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, HOME: folder },
  })
  const ended = once(umount, 'close')
  const [shown] = await once(umount.stderr, 'data')
  closeSync(lock)
  t.is(String(shown), 'publishing what was written: 1 snapshot left\n')
  t.deepEqual(await ended, [0, null])
})

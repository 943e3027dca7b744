import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { flock } from '../../src/base/libc.ts'
import { mountAt } from '../../src/base/mountinfo.ts'
import type { JbfsMount } from '../../src/cli/mounts.ts'
import { ownerKey } from '../../src/destination/layout.ts'
import { killWithWatcher } from '../support/daemon-process.ts'
import { jbfsProgram, type MountedDestination, mountDestination } from '../support/mounted.ts'
import { output, run } from '../support/run.ts'
import type { TextResult } from '../support/run-jbfs.ts'
import { type WritingMount, writingTest } from '../support/writing-mount.ts'

/** What a user is told of what was written, and is not published. */

/** The command line that goes on with what a mount has left. */
function commandLineFor({ stateDir, destination, mount }: WritingMount): string {
  return `jbfs mount --read-write --state-dir=${stateDir} ${destination} ${mount.path}`
}

writingTest('who has lost the right to write is told so, and what goes on with it', async (t, scene) => {
  const { folder, destination, stateDir, mount, repository, again, jbfs } = scene
  const mountAgain = commandLineFor(scene)
  const snapshot = join(repository, 'snap.1')
  await mkdir(snapshot)
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
  t.true(unmounted.stderr.includes(`to go on with it: ${mountAgain} `), unmounted.stderr)
  t.notRegex(unmounted.stderr, /tried again/)
  // It has: whoever started it hears of that a moment later.
  await mount.ended
  t.is(mount.daemon.exitCode, 0)
  const { stdout } = await jbfs('status', mount.path, '--state-dir', stateDir)
  t.true(stdout.includes(`waiting on this machine for ${mountAgain}\n`), stdout)
  await t.throwsAsync(again, { message: /or take it over for good: jbfs destination takeover / })
})

writingTest('when all files are stored, umount shows that it publishes', async (t, scene) => {
  const { folder, destination, mount, repository } = scene
  await mkdir(join(repository, 'snap.1'))
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

writingTest('gc that would be refused for what a mount has written says so once', async (t, scene) => {
  const { destination, mount, repository, stateDir, jbfs } = scene
  await mkdir(join(repository, 'snap.1'))
  t.is((await jbfs('publish', mount.path)).code, 0)
  await mkdir(join(repository, 'snap.2'))
  const { code, stderr } = await jbfs('gc', destination, '--dry-run', '--state-dir', stateDir)
  t.is(code, 0, stderr)
  t.deepEqual(stderr.match(/would be refused: .*/g), [
    `would be refused: this server has written to ${destination} what may not be published yet: jbfs umount ${mount.path}, then jbfs gc again`,
  ])
})

/** A snapshot with one file of 1,000 bytes, which cannot be stored while `destination` has another name. */
async function writeOutOfReach({ destination, repository }: WritingMount): Promise<void> {
  const snapshot = join(repository, 'snap.1')
  await mkdir(snapshot)
  await rename(destination, `${destination}.away`)
  await writeFile(join(snapshot, 'file'), 'x'.repeat(1000))
}

writingTest(
  'a daemon that goes on after umount is shown, with what is left, also when another is mounted there',
  async (t, scene) => {
    const { folder, destination, mount, stateDir, jbfs } = scene
    await writeOutOfReach(scene)
    const failed = await jbfs('umount', mount.path)
    t.is(failed.code, 3, failed.stderr)
    t.regex(failed.stderr, /tried again: jbfs status shows what is left$/m)
    const { code, stdout } = await jbfs('status', mount.path, '--state-dir', stateDir)
    t.is(code, 0)
    t.regex(stdout, /^ {2}state +unmounted, and not all that was written there is published$/m)
    t.regex(stdout, new RegExp(`^ {2}daemon +process ${mount.daemon.pid}, `, 'm'))
    t.regex(stdout, /^ {2}writing +1 snapshot not published, 1 file \(1000 B\) not stored; /m)
    t.notRegex(stdout, /^ {2}unpublished /m, 'nothing waits for another one')
    {
      const other = join(folder, 'empty')
      await mkdir(other)
      await using next = await mountDestination(folder, other)
      const shown: JbfsMount[] = JSON.parse(
        (await jbfs('status', mount.path, '--state-dir', stateDir, '--json')).stdout,
      )
      t.deepEqual(
        shown.map(({ state, source, status }) => [state, source, status?.pid]),
        [
          ['serving', other, next.daemon.pid],
          ['unmounted', destination, mount.daemon.pid],
        ],
      )
    }
    await rename(`${destination}.away`, destination)
    t.is(await mount.ended, 0)
    const done = await jbfs('status', mount.path, '--state-dir', stateDir)
    t.is(done.code, 4)
    t.true(
      done.stderr.includes(`nothing mounted at ${mount.path}, and nothing waits in ${stateDir} to be`),
      done.stderr,
    )
  },
)

writingTest('what a killed daemon has left is shown, and what goes on with it', async (t, scene) => {
  const { folder, destination, mount, stateDir, again, jbfs } = scene
  const mountAgain = commandLineFor(scene)
  const status = async (): Promise<string> =>
    (await jbfs('status', mount.path, '--state-dir', stateDir)).stdout
  const link = `${destination}.link`
  await symlink(destination, link)
  const gc = (how: string, place = destination): Promise<TextResult> =>
    jbfs('gc', place, how, '--state-dir', stateDir)
  await writeOutOfReach(scene)
  t.regex((await gc('--yes')).stderr, new RegExp(`yet: jbfs umount ${mount.path}, then jbfs gc again\n$`))
  mount.daemon.kill('SIGKILL')
  await mount.ended
  const left = `1 snapshot not published, 1 file (1000 B) not stored: waiting on this machine for ${mountAgain}\n`
  const umount = await jbfs('umount', mount.path, '--state-dir', stateDir)
  t.is(umount.code, 4)
  t.true(
    umount.stderr.includes(
      `published: 1 snapshot not published, 1 file (1000 B) not stored, kept on this machine; to go on with it: ${mountAgain}`,
    ),
    umount.stderr,
  )
  const gone = await status()
  t.regex(
    gone,
    new RegExp(`^${mount.path}\n {2}destination +${destination}\n {2}state +its daemon is gone, `),
  )
  t.true(gone.includes(left), gone)

  await rename(`${destination}.away`, destination)
  const steps = `${mountAgain}, then jbfs umount ${mount.path}, then jbfs gc again\n`
  const [dry, refused] = [await gc('--dry-run'), await gc('--yes')]
  t.deepEqual(await gc('--yes', link), refused)
  t.is(dry.code, 0, dry.stderr)
  t.true(dry.stderr.includes('without --dry-run this would be refused: this server has written'), dry.stderr)
  t.is(refused.code, 8, refused.stderr)
  for (const { stderr } of [dry, refused]) t.true(stderr.includes(steps), stderr)
  {
    await using _reading = await mountDestination(folder, destination)
    const reading = await status()
    t.regex(reading, /^ {2}kernel /m)
    t.true(reading.includes(left), reading)
  }
  await using mounted = await again(link)
  t.notRegex(await status(), /unpublished/)
  t.is((await jbfs('umount', mounted.path)).code, 0)
  t.is(await status(), '')
})

writingTest('umount of a dead mount says what its daemon has left', async (t, scene) => {
  const { destination, mount, stateDir, again, jbfs } = scene
  await writeOutOfReach(scene)
  await killWithWatcher(mount.daemon.pid as number)
  const { code, stderr } = await jbfs('umount', mount.path, '--state-dir', stateDir)
  t.is(code, 3)
  t.regex(stderr, /it is unmounted; its daemon has ended before .*: 1 snapshot not published, 1 file /)
  t.true(stderr.includes(`to go on with it: ${commandLineFor(scene)}\n`), stderr)
  await rename(`${destination}.away`, destination)
  await using mounted = await again()
  t.is((await jbfs('umount', mounted.path, '--state-dir', stateDir)).code, 0)
})

for (const [begin, how] of [
  ['umount(8)', ({ path }: MountedDestination) => output('umount', ['-c', '-i', path])],
  ['a signal', ({ daemon }: MountedDestination) => daemon.kill('SIGTERM')],
] as const)
  writingTest(
    `a signal ends a daemon that goes on after ${begin}, and nothing that is mounted there since`,
    async (t, scene) => {
      const { destination, mount, repository, again, jbfs } = scene
      await mkdir(join(repository, 'snap.1'))
      // Where objects would go; the lease does not lie there.
      const obstacle = join(destination, 'customer/files')
      await mkdir(join(destination, 'customer'))
      await writeFile(obstacle, '')
      await writeFile(join(repository, 'snap.1/file'), 'kept')
      await how(mount)
      while (!(await mount.log()).includes('not all is published yet; trying again')) await delay(50)
      t.is(mountAt(mount.path), undefined)
      await output('mount', ['-t', 'tmpfs', 'other', mount.path])
      try {
        // Sooner it would be the echo of the one before.
        await delay(1_100)
        mount.daemon.kill('SIGTERM')
        t.is(await mount.ended, 0)
        t.is(mountAt(mount.path)?.source, 'other')
      } finally {
        await run('umount', [mount.path])
      }
      t.regex(await mount.log(), /not all that was written is published: it is kept/)
      const owner = JSON.parse(await readFile(join(destination, ownerKey), 'utf8'))
      t.is(owner.lease, null, 'the next one need not wait for it')
      await rm(obstacle)
      await using mounted = await again()
      t.is(await readFile(join(mounted.path, 'customer/snap.1/file'), 'utf8'), 'kept')
      t.is((await jbfs('umount', mounted.path)).code, 0)
    },
  )

import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { jbfsProgram, mountDestination, temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { output } from '../support/run.ts'
import { testUnless } from '../support/test-unless.ts'

/** What is published while the destination is mounted. */

interface Place {
  readonly destination: string
  readonly repository: string
  readonly daemon: { kill(signal: NodeJS.Signals): boolean }
  publish(name: string, content?: string): Promise<void>
}

function publishingTest(
  title: string,
  args: readonly string[],
  body: (t: ExecutionContext, place: Place) => Promise<void>,
): void {
  testUnless(test.serial, whyNoMounts())(title, async (t) => {
    await using folder = await temporaryFolder()
    const [source, destination] = [join(folder.path, 'source'), join(folder.path, 'destination')]
    await mkdir(source)
    await mkdir(destination)
    const publish = async (name: string, content = name): Promise<void> => {
      await writeFile(join(source, 'name'), content)
      await utimes(join(source, 'name'), 1, 1)
      await output(process.execPath, [jbfsProgram, 'import', source, join(destination, 'customer', name)])
    }
    await publish('snap.1')
    await using mount = await mountDestination(folder.path, destination, { args })
    await body(t, { destination, repository: join(mount.path, 'customer'), daemon: mount.daemon, publish })
  })
}

/** Lists by `ls` alone, again and again, until a name is there. */
async function listedWithin(seconds: number, folder: string, name: string): Promise<boolean> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await delay(100))
    if ((await output('ls', [folder])).split('\n').includes(name)) return true
  return false
}

publishingTest(
  'ls sees what is published within the interval, and after',
  ['--refresh', '2'],
  async (t, place) => {
    const { repository, publish } = place
    t.true(await listedWithin(1, repository, 'snap.1'))
    await publish('snap.2')
    t.true(await listedWithin(6, repository, 'snap.2'), 'to somebody who only lists')
    await delay(5_000)
    await publish('snap.3')
    await delay(2_500)
    t.deepEqual(await readdir(repository), ['latest', 'snap.1', 'snap.2', 'snap.3'], 'to who comes back')
  },
)

publishingTest(
  'SIGHUP shows at once what is published, also where nobody looks',
  ['--refresh', '0'],
  async (t, place) => {
    const { repository, daemon, publish } = place
    for (const name of ['snap.2', 'snap.3']) {
      await t.throwsAsync(readdir(join(repository, name)), { code: 'ENOENT' })
      await publish(name)
      daemon.kill('SIGHUP')
      t.true(await listedWithin(5, repository, name))
      t.deepEqual(await readdir(join(repository, name)), ['jetbackup.index', 'name'])
      daemon.kill('SIGHUP')
      await delay(500)
    }
  },
)

for (const transport of ['kernel', 'libfuse'])
  publishingTest(
    `${transport}: bytes are those of the snapshot that is there now, also where size and times are the same`,
    ['--refresh', '1', '--transport', transport],
    async (t, { destination, repository, publish }) => {
      const file = join(repository, 'snap.1/name')
      t.is(await readFile(file, 'utf8'), 'snap.1')
      await rm(join(destination, 'customer/snap.1'), { recursive: true })
      await publish('snap.1', 'second')
      await delay(3_000)
      await output('ls', [repository])
      t.is(await readFile(file, 'utf8'), 'second')
    },
  )

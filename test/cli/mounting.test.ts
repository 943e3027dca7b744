import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, realpath, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import { mountAt } from '../../src/base/mountinfo.ts'
import { ownFolders } from '../../src/cli/own-folders.ts'
import { controlSocketPath } from '../../src/daemon/control-socket.ts'
import { ownerKey } from '../../src/destination/layout.ts'
import { type LeaseRecord, serializeOwner } from '../../src/destination/owner-record.ts'
import { serverIdentity } from '../../src/destination/server-identity.ts'
import { childrenOf, ended, isRunning, killWithWatcher } from '../support/daemon-process.ts'
import { jbfsProgram, temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { findOlderNode, whyNoOlderNode } from '../support/older-node.ts'
import { run } from '../support/run.ts'
import { runJbfs, runText, type TextResult } from '../support/run-jbfs.ts'
import { testUnless } from '../support/test-unless.ts'

/** `jbfs mount`, `umount` and `status` as a user types them, on a folder with one plain file, and one snapshot of which nothing is known. */

interface Place {
  readonly folder: string
  readonly destination: string
  readonly mountpoint: string
  /** Of `jbfs mount`, all paths absolute. */
  readonly arguments: readonly string[]
  mount(...args: string[]): Promise<TextResult>
  /** Process id of the daemon, as `jbfs status` has it. */
  daemon(): Promise<number>
}

const older = findOlderNode()

/** `whyNot`: as `testUnless` has it, for what this one needs besides mounts. */
function mountingTest(
  title: string,
  body: (t: ExecutionContext, place: Place) => Promise<void>,
  whyNot?: string,
): void {
  testUnless(test.serial, whyNoMounts() ?? whyNot)(title, async (t) => {
    await using folder = await temporaryFolder()
    const path = await realpath(folder.path)
    const [destination, mountpoint] = [join(path, 'destination'), join(path, 'mnt')]
    await mkdir(destination)
    await mkdir(mountpoint)
    await mkdir(join(destination, 'example/snap.1'), { recursive: true })
    await writeFile(join(destination, 'example/snap.1/jetbackup.index'), '{}')
    await writeFile(join(destination, 'notes.txt'), 'kept\n')
    await mkdir(join(path, 'log'))
    const settings = ['--cache-dir', join(path, 'cache'), '--log-file', join(path, 'log/mount.log')]
    const mountArguments = [destination, mountpoint, ...settings]
    try {
      await body(t, {
        folder: path,
        destination,
        mountpoint,
        arguments: mountArguments,
        mount: (...args) => runJbfs(['mount', ...mountArguments, ...args]),
        daemon: async () => (await statusOf(mountpoint)).status.pid,
      })
    } finally {
      while (mountAt(mountpoint) !== undefined) await run('umount', ['-l', '-c', '-i', mountpoint])
    }
  })
}

async function statusOf(mountpoint: string): Promise<{ state: string; status: { pid: number } }> {
  const { stdout } = await runJbfs(['status', mountpoint, '--json'])
  return JSON.parse(stdout)[0]
}

const silent: TextResult = { code: 0, stdout: '', stderr: '' }

mountingTest('mount returns when the mount answers, umount when the daemon has ended', async (t, place) => {
  t.deepEqual(await place.mount(), silent)
  t.is(await readFile(join(place.mountpoint, 'notes.txt'), 'utf8'), 'kept\n')
  const daemon = await place.daemon()
  t.true(isRunning(daemon))
  t.regex(
    (await runJbfs(['status'])).stdout,
    new RegExp(`${place.mountpoint}\n +destination +${place.destination}\n`),
  )

  t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
  t.false(isRunning(daemon))
  t.is(mountAt(place.mountpoint), undefined)
  const lines = readFileSync(join(place.folder, 'log/mount.log'), 'utf8').trim().split('\n')
  t.deepEqual(
    lines.map((line) => JSON.parse(line).msg),
    ['mounted', 'unmounted'],
  )
})

mountingTest('relative paths and links are taken from where the command is typed', async (t, place) => {
  await symlink('mnt', join(place.folder, 'link'))
  const inFolder = { cwd: place.folder }
  const settings = ['--cache-dir', 'cache', '--log-file', 'daemon.log']
  t.deepEqual(await runJbfs(['mount', './destination', 'link', ...settings], inFolder), silent)
  t.is(mountAt(place.mountpoint)?.type, 'fuse.jbfs')
  t.is(await readFile(join(place.mountpoint, 'notes.txt'), 'utf8'), 'kept\n')
  t.true(existsSync(join(place.folder, 'daemon.log')))
  t.deepEqual(await runJbfs(['umount', './link'], inFolder), silent)
})

mountingTest('what keeps the daemon from mounting is the command’s error', async (t, place) => {
  const missing = await runJbfs([
    'mount',
    join(place.folder, 'none'),
    place.mountpoint,
    '--log-file',
    join(place.folder, 'l'),
  ])
  t.is(missing.code, 3)
  t.regex(missing.stderr, /^jbfs: [^\n]*none[^\n]*\n$/)
  const args = [
    '--endpoint',
    'http://127.0.0.1:9',
    '--http-retries',
    '0',
    '--log-file',
    join(place.folder, 'l'),
  ]
  const env = { AWS_ACCESS_KEY_ID: 'AKIATEST', AWS_SECRET_ACCESS_KEY: 'geheim' }
  const refused = await runJbfs(['mount', 's3://bucket/path', place.mountpoint, ...args], { env })
  t.is(refused.code, 3)
  t.regex(refused.stderr, /^jbfs: s3:\/\/bucket\/path: [^\n]+\n$/)
  t.notRegex(refused.stderr + readFileSync(join(place.folder, 'l'), 'utf8'), /geheim/)
  t.is(mountAt(place.mountpoint), undefined)
})

const nodes = [
  { which: 'this Node.js', program: process.execPath, whyNot: undefined },
  { which: 'an older Node.js', program: older?.program ?? '', whyNot: whyNoOlderNode(older) },
]
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  for (const { which, program, whyNot } of nodes)
    mountingTest(
      `${signal} to all of its process group unmounts when jbfs was started with ${which}`,
      async (t, place) => {
        const args = ['mount', place.destination, place.mountpoint, '--foreground']
        const settings = ['--cache-dir', join(place.folder, 'cache')]
        const child = spawn(program, [jbfsProgram, ...args, ...settings], {
          detached: true,
          stdio: ['ignore', 'pipe', 'pipe'],
        })
        let said = ''
        child.stderr.on('data', (piece: Buffer) => {
          said += piece
        })
        const ended = once(child, 'close')
        while ((await place.daemon().catch(() => undefined)) === undefined);
        process.kill(-(child.pid as number), signal)
        t.deepEqual(await ended, [0, null], said)
        t.regex(said, /unmounted/)
        t.notRegex(said, /at once/)
        t.is(mountAt(place.mountpoint), undefined)
      },
      whyNot,
    )

mountingTest(
  'a cache folder, log or state folder in the destination is refused, and nothing is made there',
  async (t, place) => {
    for (const [option, what, ...more] of [
      ['--cache-dir', 'the cache folder'],
      ['--log-file', 'the log'],
      ['--state-dir', 'the state folder', '--read-write'],
    ] as const) {
      const path = join(place.destination, 'new/inside')
      const { code, stderr } = await place.mount(option, path, ...more)
      t.is(code, 2)
      t.is(stderr, `jbfs: ${what} ${path} lies in the destination: choose another ${option}\n`)
    }
    t.deepEqual(await readdir(place.destination), ['example', 'notes.txt'])
  },
)

mountingTest('a cache folder that cannot be used is the command’s error', async (t, place) => {
  await writeFile(join(place.folder, 'file'), '')
  for (const path of ['/proc/none/cache', join(place.folder, 'file/cache')]) {
    const { code, stderr } = await place.mount('--cache-dir', path)
    t.is(code, 2)
    t.regex(stderr, /^jbfs: the cache folder [^\n]+ cannot be used: [^\n]+: choose another --cache-dir\n$/)
    t.is(mountAt(place.mountpoint), undefined)
  }
})

mountingTest('the folder of a log that somebody names must be there', async (t, place) => {
  const { code, stderr } = await place.mount('--log-file', join(place.folder, 'lgo/mount.log'))
  t.is(code, 2)
  t.is(
    stderr,
    `jbfs: there is no folder ${place.folder}/lgo for the log: make it, or choose another --log-file\n`,
  )
  t.false(existsSync(join(place.folder, 'lgo')))
})

mountingTest('a folder with something in it is mounted over with a warning', async (t, place) => {
  for (const name of ['a', 'b', 'c']) await writeFile(join(place.mountpoint, name), '')
  t.deepEqual(await place.mount(), {
    code: 0,
    stdout: '',
    stderr: `jbfs: ${place.mountpoint} is not empty: the mount hides what is in it (entries: 3)\n`,
  })
  t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
})

mountingTest('what does not look like a destination is mounted with a warning', async (t, place) => {
  const jobs = join(place.folder, 'jobs')
  const settings = place.arguments.slice(1)
  for (let i = 10; i < 40; i++) await mkdir(join(jobs, `not/here-${i}`), { recursive: true })
  for (let i = 10; i < 40; i++) await writeFile(join(jobs, `not/here-${i}/file`), '')
  const { code, stderr } = await runJbfs(['mount', jobs, ...settings])
  t.is(code, 0)
  t.regex(
    stderr,
    /^jbfs: this does not look like a destination: there is no snapshot in its first 16 folders; [^\n]+\n$/,
  )
  t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)

  const empty = join(place.folder, 'empty')
  await mkdir(empty)
  const state = ['--state-dir', join(place.folder, 'state')]
  t.regex((await runJbfs(['mount', empty, ...settings])).stderr, /does not look like a destination/)
  t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
  // Whoever writes begins with nothing.
  t.deepEqual(await runJbfs(['mount', empty, ...settings, '--read-write', ...state]), silent)
  t.is((await runJbfs(['umount', place.mountpoint])).code, 0)

  await mkdir(join(jobs, 'a/job/account'), { recursive: true })
  await rename(join(place.destination, 'example/snap.1'), join(jobs, 'a/job/account/snap.1'))
  t.deepEqual(await runJbfs(['mount', jobs, ...settings]), silent)
  t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
})

mountingTest('whoever waits for the lease of another writer is told so meanwhile', async (t, place) => {
  const state = join(place.folder, 'state')
  const owner = await serverIdentity(state)
  const path = join(place.destination, ownerKey)
  const writing = ['mount', ...place.arguments, '--read-write', '--state-dir', state]
  await rm(join(place.destination, 'example'), { recursive: true })
  for (const how of [[], ['--foreground']]) {
    await writeFile(path, serializeOwner({ owner, token: 1, lease: lapsing }))
    await utimes(path, new Date(), new Date(Date.now() - lapsing.seconds * 600))
    const child = spawn(process.execPath, [jbfsProgram, ...writing, ...how], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const ended = once(child, 'close')
    const said = createInterface({ input: child.stderr })[Symbol.asyncIterator]()
    t.regex((await said.next()).value ?? '', toldOfLease(place.destination, owner.host))
    t.is(mountAt(place.mountpoint), undefined, 'it waits still')
    if (how.length > 0) child.kill('SIGTERM')
    t.deepEqual(await ended, how.length > 0 ? [null, 'SIGTERM'] : [0, null])
    t.true((await said.next()).done, 'nothing else is said')
    if (how.length === 0) t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
  }
})

/** Of a process of which nobody here can say whether it is gone. */
const lapsing: LeaseRecord = {
  ...{ token: 1, holder: 'somebody', renewal: 9, seconds: 16, revoked: false, since: 1_700_000_000 },
  ...{ program: 'another program', pid: 123, process: 'another boot' },
}

function toldOfLease(destination: string, host: string): RegExp {
  return new RegExp(
    `^jbfs: waiting for at most \\d s until the lease of ${destination} has run out: another program \\(process 123 on ${host}, last heard of \\d+ s ago\\) has not given it back$`,
  )
}

mountingTest('an empty mountpoint is not the working folder', async (t, place) => {
  const cwd = join(place.folder, 'mnt')
  const { code, stderr } = await runJbfs(['mount', place.destination, ''], { cwd })
  t.is(code, 4)
  t.is(stderr, 'jbfs: no mountpoint given: say a folder\n')
})

mountingTest('in the foreground it stays, and unmounts on SIGTERM', async (t, place) => {
  const mount = place.mount('--foreground')
  let daemon: number | undefined
  while (daemon === undefined) daemon = await place.daemon().catch(() => undefined)
  process.kill(daemon, 'SIGTERM')
  t.is((await mount).code, 0)
  t.is(mountAt(place.mountpoint), undefined)
})

mountingTest('a descriptor that somebody else has mounted is served in the background', async (t, place) => {
  const script = `exec 5<>/dev/fuse
mount -i -t fuse.jbfs -o fd=5,rootmode=40000,user_id=0,group_id=0,ro backups "$1" && shift && exec "$@" --fuse-fd 5`
  const settings = ['--cache-dir', join(place.folder, 'cache'), '--log-file', join(place.folder, 'l')]
  const command = [process.execPath, jbfsProgram, 'mount', place.destination, place.mountpoint, ...settings]
  t.deepEqual(await runText(['bash', '-c', script, 'bash', place.mountpoint, ...command]), silent)
  t.is(await readFile(join(place.mountpoint, 'notes.txt'), 'utf8'), 'kept\n')
  t.is((await statusOf(place.mountpoint)).state, 'serving')
  t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
})

mountingTest('keys are in no command line and in no log', async (t, place) => {
  const env = { AWS_ACCESS_KEY_ID: 'AKIATEST', AWS_SECRET_ACCESS_KEY: 'geheim' }
  const log = join(place.folder, 'l')
  const { code } = await runJbfs(
    [
      'mount',
      place.destination,
      place.mountpoint,
      '--cache-dir',
      join(place.folder, 'c'),
      '--log-file',
      log,
      '--log-level',
      'debug',
    ],
    { env },
  )
  t.is(code, 0)
  const cmdline = readFileSync(`/proc/${await place.daemon()}/cmdline`, 'utf8')
  t.true(cmdline.includes(place.mountpoint))
  await runJbfs(['umount', place.mountpoint])
  t.notRegex(cmdline + readFileSync(log, 'utf8'), /geheim|AKIATEST/)
})

mountingTest('what is written waits where no mount hides it', async (t, place) => {
  const inside = join(place.folder, 'state/inside')
  await mkdir(inside, { recursive: true })
  for (const [mountpoint, stateDir, message] of [
    [place.mountpoint, join(place.mountpoint, 'state'), /mnt is or holds the state folder /],
    [inside, join(place.folder, 'state'), /inside lies in the state folder /],
  ] as const) {
    const args = [
      'mount',
      place.destination,
      mountpoint,
      ...place.arguments.slice(2),
      '--state-dir',
      stateDir,
    ]
    const { code, stderr } = await runJbfs([...args, '--read-write'])
    t.is(code, 4, stderr)
    t.regex(stderr, message)
    t.false(existsSync(join(stateDir, 'server-id')))
  }
})

mountingTest('where nothing can be mounted the command says why', async (t, place) => {
  const { folder, destination, mountpoint } = place
  await writeFile(join(folder, 'file'), '')
  await mkdir(join(destination, 'inside'))
  await mkdir(join(folder, 'cache/inside'), { recursive: true })
  const cases: [string, RegExp][] = [
    [join(folder, 'none'), /there is no folder .*none: make it with mkdir -p/],
    [join(folder, 'none/none'), /there is no folder .*none\n/],
    [join(folder, 'file'), /file is no folder/],
    ['/proc', /something else is mounted at \/proc \(proc\)/],
    [destination, /is or holds the destination/],
    [join(destination, 'inside'), /lies in the destination/],
    [join(folder, 'cache/inside'), /lies in the cache folder/],
    [join(folder, 'log'), /is or holds the folder of the log/],
    [folder, /is or holds the cache folder/],
  ]
  const settings = ['--cache-dir', join(folder, 'cache'), '--log-file', join(folder, 'log/mount.log')]
  for (const [path, message] of cases) {
    const { code, stderr } = await runJbfs(['mount', destination, path, ...settings])
    t.is(code, 4, stderr)
    t.regex(stderr, /^jbfs: [^\n]+\n$/)
    t.regex(stderr, message)
  }
  t.deepEqual(await place.mount(), silent)
  const twice = await place.mount()
  t.is(twice.code, 4)
  t.regex(twice.stderr, new RegExp(`is mounted at ${mountpoint} already: jbfs umount`))
  t.deepEqual(await runJbfs(['umount', mountpoint]), silent)
  const none = await runJbfs(['umount', mountpoint])
  t.deepEqual(none, { code: 4, stdout: '', stderr: `jbfs: nothing is mounted at ${mountpoint}\n` })
  const other = await runJbfs(['umount', '/proc'])
  t.is(other.code, 4)
  t.regex(other.stderr, /is not jbfs but proc/)
  t.is((await runJbfs(['status', mountpoint])).code, 4)
})

mountingTest('what is in use stays mounted, unless it is detached', async (t, place) => {
  t.deepEqual(await place.mount(), silent)
  const daemon = await place.daemon()
  const user = spawn('cat', [], { cwd: place.mountpoint, stdio: ['pipe', 'ignore', 'ignore'] })
  const userEnded = new Promise((resolve) => user.on('close', resolve))
  try {
    const busy = await runJbfs(['umount', place.mountpoint])
    t.is(busy.code, 4)
    t.regex(busy.stderr, /^jbfs: \S+ is in use: fuser -vm [^\n]+--lazy[^\n]+\n$/)
    t.not(mountAt(place.mountpoint), undefined)
    t.deepEqual(await runJbfs(['umount', '--lazy', place.mountpoint]), silent)
    t.is(mountAt(place.mountpoint), undefined)
    t.true(isRunning(daemon))
    t.is((await statusOf(place.mountpoint)).state, 'detached')
  } finally {
    user.stdin.end()
    await userEnded
  }
  await ended(daemon)
  t.pass()
})

mountingTest(
  'a signal for a daemon that is detached is none for what is mounted there since',
  async (t, place) => {
    const log = join(place.folder, 'log/mount.log')
    t.deepEqual(await place.mount(), silent)
    const daemon = await place.daemon()
    const user = spawn('cat', [], { cwd: place.mountpoint, stdio: ['pipe', 'ignore', 'ignore'] })
    const userEnded = new Promise((resolve) => user.on('close', resolve))
    try {
      t.deepEqual(await runJbfs(['umount', '--lazy', place.mountpoint]), silent)
      t.deepEqual(await place.mount(), silent)
      process.kill(daemon, 'SIGTERM')
      while (!(await readFile(log, 'utf8')).includes('"unmounting"'));
    } finally {
      user.stdin.end()
      await userEnded
    }
    await ended(daemon)
    t.is(await readFile(join(place.mountpoint, 'notes.txt'), 'utf8'), 'kept\n')
    t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
  },
)

mountingTest('a daemon that was killed: status says so, umount and mount clear it', async (t, place) => {
  for (const clear of ['umount', 'mount'] as const) {
    t.deepEqual(await place.mount(), silent)
    await killWithWatcher(await place.daemon())
    t.is((await statusOf(place.mountpoint)).state, 'dead')
    t.regex((await runJbfs(['status', place.mountpoint])).stdout, /dead: .* jbfs umount/)
    if (clear === 'umount') {
      t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
      t.is(mountAt(place.mountpoint), undefined)
      continue
    }
    t.deepEqual(await place.mount(), silent)
    t.is((await statusOf(place.mountpoint)).state, 'serving')
    t.is(await readFile(join(place.mountpoint, 'notes.txt'), 'utf8'), 'kept\n')
    t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
  }
})

/** As a user who stands in `folder` does it, after the shell words `before`. */
function runJbfsIn(folder: string, before: string, ...args: string[]): Promise<TextResult> {
  const script = `cd "$1" && ${before} && shift && exec "$@"`
  return runText(['sh', '-c', script, 'sh', folder, process.execPath, jbfsProgram, ...args])
}

const lostFolder: TextResult = {
  code: 2,
  stdout: '',
  stderr:
    'jbfs: the working folder was removed, or cannot be reached any more: cd to another one, or give absolute paths\n',
}

mountingTest('whoever stands in a mount whose daemon has died can mount anew', async (t, place) => {
  t.deepEqual(await place.mount(), silent)
  // Its watcher then detaches the mount, and the way up from the working folder is lost.
  const death = `kill -9 ${await place.daemon()} && while grep -qF "$1" /proc/self/mountinfo; do sleep 0.1; done`
  t.deepEqual(await runJbfsIn(place.mountpoint, death, 'mount', ...place.arguments), silent)
  t.is(await readFile(join(place.mountpoint, 'notes.txt'), 'utf8'), 'kept\n')
  t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
})

mountingTest('in a folder that was removed all goes as ever, but for relative paths', async (t, place) => {
  const removed = join(place.folder, 'removed')
  const inRemoved = async (...args: string[]): Promise<TextResult> => {
    await mkdir(removed)
    return runJbfsIn(removed, 'rmdir "$1"', ...args)
  }
  const { mountpoint } = place
  const [, ...others] = place.arguments
  t.deepEqual(await inRemoved('mount', './destination', ...others), lostFolder)
  t.deepEqual(await inRemoved('mount', ...place.arguments), silent)
  t.is((await inRemoved('status', mountpoint)).code, 0)
  t.deepEqual(await inRemoved('umount', 'mnt'), lostFolder)
  t.deepEqual(await inRemoved('umount', mountpoint), silent)
})

mountingTest('a daemon that hangs makes no command hang', async (t, place) => {
  t.deepEqual(await place.mount(), silent)
  const daemon = await place.daemon()
  process.kill(daemon, 'SIGSTOP')
  try {
    t.is((await statusOf(place.mountpoint)).state, 'silent')
    const { code, stderr } = await place.mount()
    t.is(code, 4)
    t.regex(stderr, /but does not answer: jbfs umount/)
    t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
  } finally {
    process.kill(daemon, 'SIGCONT')
  }
  await ended(daemon)
  t.is(mountAt(place.mountpoint), undefined)
})

mountingTest('umount does not itself keep in use what hangs', async (t, place) => {
  const hanging = `import { SnapshotFilesystem } from ${JSON.stringify(urlOf('filesystem/snapshot-filesystem.ts'))};
    SnapshotFilesystem.prototype.statfs = () => process.kill(process.pid, 'SIGSTOP')`
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hanging)}`
  t.deepEqual(await runJbfs(['mount', ...place.arguments], { env: { NODE_OPTIONS } }), silent)
  const daemon = await place.daemon()
  await rm(controlSocketPath(ownFolders().runtime, place.mountpoint))
  try {
    t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
  } finally {
    process.kill(daemon, 'SIGCONT')
  }
  await ended(daemon)
})

mountingTest('what a mount shows is no destination, and is not looked at as one', async (t, place) => {
  t.deepEqual(await place.mount(), silent)
  for (const shown of [place.mountpoint, join(place.mountpoint, 'example')])
    for (const command of [['check'], ['snapshots'], ['mount', join(place.folder, 'other')]] as const) {
      const [name = '', ...after] = command
      const { code, stderr } = await runJbfs([name, shown, ...after])
      t.is(code, 2, stderr)
      t.true(
        stderr.includes(
          `${shown} is what jbfs shows at ${place.mountpoint}, and no destination: give the one that is mounted there, ${place.destination}`,
        ),
        stderr,
      )
    }
  t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
})

mountingTest('another user is told whose a mount is, and who can unmount it', async (t, place) => {
  t.deepEqual(await place.mount(), silent)
  // Only the ids: the program and its folder may be for root alone. Without jbfs's own launcher nothing is loaded later than here.
  const nobody = 65534
  const script = `import { unmountAndWait } from ${JSON.stringify(urlOf('cli/unmount-and-wait.ts'))};
    process.setgroups([]); process.setgid(${nobody}); process.setuid(${nobody});
    await unmountAndWait(process.argv[1]).catch(({ code, message }) => console.log(code, message))`
  const args = ['--input-type=module', '--eval', script, place.mountpoint]
  t.deepEqual(await runText([process.execPath, ...args]), {
    code: 0,
    stdout: `refused ${place.mountpoint} was mounted by root: only root can unmount it, as by sudo jbfs umount ${place.mountpoint}\n`,
    stderr: '',
  })
  t.deepEqual(await runJbfs(['umount', place.mountpoint]), silent)
})

mountingTest('Ctrl-C while a mount is on its way leaves nothing', async (t, place) => {
  // Nothing answers at this endpoint: the daemon is trying, and will be for long.
  const server = createServer(() => {})
  const connected = new Promise<void>((resolve) => server.once('connection', () => resolve()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const child: ChildProcess = spawn(
    process.execPath,
    [
      jbfsProgram,
      'mount',
      's3://bucket',
      place.mountpoint,
      '--endpoint',
      `http://127.0.0.1:${port}`,
      '--log-file',
      join(place.folder, 'l'),
    ],
    { stdio: 'ignore', env: { ...process.env, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' } },
  )
  const code = new Promise((resolve) => child.on('close', resolve))
  await connected
  const daemon = childrenOf(child.pid as number)[0] as number
  child.kill('SIGINT')
  t.is(await code, 130)
  t.false(isRunning(daemon))
  t.is(mountAt(place.mountpoint), undefined)
  server.close()
})

/** Of a file of the sources. */
function urlOf(path: string): string {
  return new URL(`../../src/${path}`, import.meta.url).href
}

mountingTest('a demo whose output nobody reads to its end leaves nothing behind', async (t, { folder }) => {
  const temporary = join(folder, 'temporary')
  await mkdir(temporary)
  const command = `'${process.execPath}' '${jbfsProgram}' demo --files 10 | head -1; echo "\${PIPESTATUS[0]}"`
  const { stdout, stderr } = await runText(['bash', '-c', command], { env: { TMPDIR: temporary } })
  t.regex(stdout, /^Everything happens in [^\n]+\n141\n$/)
  t.is(stderr, '')
  t.deepEqual(await readdir(temporary), [])
})

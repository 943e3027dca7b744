import { mkdirSync } from 'node:fs'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { fileKey, indexKey, ownerKey } from '../../src/destination/layout.ts'
import { Lease } from '../../src/destination/lease.ts'
import { OwnerFile } from '../../src/destination/ownership.ts'
import { serverIdentity } from '../../src/destination/server-identity.ts'
import { workingFolder } from '../../src/staging/unpublished.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { objectKey } from '../../src/store/object-store.ts'
import { jbfsProgram, temporaryFolder } from '../support/mounted.ts'
import { type Place, placesTest } from '../support/places.ts'
import { idAt, keysOf, oldTime, plant, planted, publishContents } from '../support/planted-destination.ts'
import { runJbfs, type TextResult } from '../support/run-jbfs.ts'
import { runAtTerminal } from '../support/terminal.ts'

/** `jbfs gc`, as its users see it. */

function gc(place: Place, below: string, ...args: string[]): Promise<TextResult> {
  return place.jbfs('gc', below, '--state-dir', join(place.folder, 'state'), ...args)
}

const freeable = [fileKey('job/broken/', planted.oldOrphan), fileKey('job/sound/', planted.oldOrphan)]

placesTest('of a planted destination only what certainly nobody needs is deleted', async (t, place) => {
  await plant(place.store, place.folder)
  const before = await keysOf(place.store)
  place.proxy?.reset()

  const dry = await gc(place, '', '--dry-run')
  t.is(dry.code, 5, dry.stderr)
  const lines = dry.stdout.split('\n')
  t.is(lines.length, 7)
  t.is(lines[0], 'job/broken: 1 object (6 B) that no snapshot refers to')
  t.regex(lines[1] ?? '', /^job\/foreign: left alone, .*: job\/foreign\/snap\.2 was not written by jbfs/)
  t.regex(lines[2] ?? '', /^job\/index: left alone, .*: the file index of job\/index\/snap\.2 /)
  t.regex(lines[3] ?? '', /^job\/manifest: left alone, .*: job\/manifest\/snap\.2: .*no JSON/)
  t.is(
    lines[4],
    'job/sound: 1 object (6 B) that no snapshot refers to; kept: 2 leftovers (14 B) younger than 24h, 1 leftover (6 B) from the future and 2 keys in files/ that are no objects',
  )
  t.regex(lines[5] ?? '', /^would free 2 objects \(12 B\) in /)
  t.deepEqual(await keysOf(place.store), before)
  if (place.proxy !== undefined) t.like(place.proxy.counts(), { PUT: 0, POST: 0, DELETE: 0 })

  const { code, stdout, stderr } = await gc(place, '', '--yes', '--json')
  t.is(code, 5, stderr)
  const { repositories, freed } = JSON.parse(stdout)
  t.deepEqual(freed, { objects: { count: 2, bytes: 12 }, indexes: { count: 0, bytes: 0 } })
  t.is(repositories.length, 5)
  t.deepEqual(await keysOf(place.store), withOwner(before.filter((key) => !freeable.includes(key as never))))

  t.regex((await gc(place, '', '--yes')).stdout, /\nfreed 0 objects \(0 B\) in /)
})

placesTest(
  'without a grace period all but the future goes, the index without a snapshot, too',
  async (t, place) => {
    await plant(place.store, place.folder)
    const before = await keysOf(place.store)
    const { code, stdout, stderr } = await gc(place, '/job/sound', '--yes', '--grace', '0')
    t.is(code, 0, stderr)
    t.regex(stdout, /\nfreed 2 objects \(12 B\) and 1 file index \(8 B\) in /)
    const gone: string[] = [
      fileKey('job/sound/', planted.oldOrphan),
      fileKey('job/sound/', planted.youngOrphan),
      indexKey('job/sound/', 9),
    ]
    t.deepEqual(
      await keysOf(place.store),
      [...before.filter((key) => !gone.includes(key)), 'job/jetbackup.owner'].sort(),
    )
    t.is((await place.jbfs('check', '/job/sound', '--read-data')).code, 0)
  },
)

placesTest('of many objects those that are needed stay', async (t, place) => {
  const { store, folder } = place
  const ids = Array.from({ length: 2300 }, (_, n) => idAt(oldTime + n, n))
  const contents = Object.fromEntries(ids.filter((_, n) => n % 2 === 0).map((id) => [id, id]))
  await publishContents(store, folder, { repository: 'a/', number: 1, contents })
  await Promise.all(ids.map((id) => store.put(fileKey('a/', id), Buffer.from(id))))
  place.proxy?.reset()
  const { code, stdout, stderr } = await gc(place, '', '--yes')
  t.is(code, 0, stderr)
  t.regex(stdout, /\nfreed 1150 objects \(27\.0 KiB\) in /)
  // A thousand a request; the rest is the owner's file.
  if (place.proxy !== undefined) t.is(place.proxy.counts().POST, 2)
  t.is((await place.jbfs('check', '', '--read-data')).code, 0)
  t.is((await keysOf(store)).filter((key) => key.includes('/files/')).length, 1150)
})

placesTest('while somebody else may write nothing is looked at or deleted', async (t, place) => {
  await plant(place.store, place.folder)
  const before = await keysOf(place.store)
  const self = await serverIdentity(join(place.folder, 'state'), undefined)
  for (const [owner, said] of [
    [self, /is being written to by another program/],
    [{ ...self, id: 'another server' }, /belongs to .*, which is writing to it \(another program/],
  ] as const) {
    await place.store.delete([objectKey(ownerKey)])
    const file = new OwnerFile(place.store)
    const lease = {
      file,
      owner,
      program: 'another program',
      description: 'it',
      takeover: 'jbfs …',
      logger: silentLogger,
    }
    await using _held = await Lease.acquire(lease)
    const { code, stdout, stderr } = await gc(place, '/job', '--yes')
    t.is(code, 8)
    t.is(stdout, '')
    t.regex(stderr, said)
    // Who only looks takes nothing from anybody.
    const dry = await gc(place, '/job', '--dry-run')
    t.regex(dry.stdout, /\nwould free 2 objects /)
    t.regex(dry.stderr, new RegExp(`without --dry-run this would be refused: .*${said.source}`))
    t.deepEqual(await keysOf(place.store), withOwner(before))
  }
})

placesTest('what waits to be published keeps all its place, however that is typed', async (t, place) => {
  await plant(place.store, place.folder)
  const before = await keysOf(place.store)
  const { destination, folder } = place
  const left = workingFolder(join(folder, 'state'), 'name', `${destination}/job/sound`, {
    mountpoint: '/mnt',
    mountAgain: 'jbfs mount',
  })
  await mkdir(join(left, '1'))
  const refused = ['', '/', '/job/sound', '/job/sound/']
  if (place.proxy === undefined) {
    await symlink(join(destination, 'job'), join(folder, 'link'))
    refused.push('/../link', '/../link/sound')
  }
  for (const typed of refused) {
    const { code, stderr } = await gc(place, typed, '--yes')
    t.is(code, 8, typed)
    t.regex(stderr, /this server has written to .* what may not be published yet/)
  }
  t.deepEqual(await keysOf(place.store), before)
  t.regex((await gc(place, '/job/broken', '--yes')).stdout, /freed 1 object /, 'where nothing of it lies')
})

test('a destination whose settings say so is never written to', async (t) => {
  await using folder = await temporaryFolder()
  const config = join(folder.path, 'destinations.toml')
  await writeFile(
    config,
    '[offsite]\nvendor = "custom"\nendpoint = "http://127.0.0.1:9"\nregion = "here"\nbucket = "bucket"\nbackup_directory = "/web"\nread_only = true\n',
    { mode: 0o600 },
  )
  for (const place of ['offsite', 'offsite/account']) {
    const { code, stderr } = await runJbfs(['gc', place, '--yes', '--config', config])
    t.is(code, 2)
    t.regex(stderr, /nothing is written to offsite: its settings say read_only = true/)
  }
})

test('a script says --yes; a grace period has a unit; a snapshot is not collected by itself', async (t) => {
  await using folder = await temporaryFolder()
  const refused = [
    [[folder.path], /say --yes to delete objects, or --dry-run/],
    [[folder.path, '--yes', '--grace', '24'], /--grace is a time such as 90m, 24h or 7d, not "24"/],
    [[join(folder.path, 'a/snap.1'), '--yes'], /snap\.1 is a snapshot: say its repository/],
  ] as const
  for (const [args, said] of refused) {
    const { code, stderr } = await runJbfs(['gc', ...args])
    t.is(code, 2)
    t.regex(stderr, said)
  }
})

test('at a terminal the figures are shown, and nothing goes without a yes', async (t) => {
  await using folder = await temporaryFolder()
  const store = new DirectoryStore(folder.path)
  await publishContents(store, folder.path, {
    repository: 'a/',
    number: 1,
    contents: { [planted.whole]: 'whole' },
  })
  await store.put(fileKey('a/', planted.oldOrphan), Buffer.from('orphan'))
  const command = [
    process.execPath,
    jbfsProgram,
    'gc',
    folder.path,
    '--state-dir',
    join(folder.path, 'state'),
  ]
  const ask = (answer: string): ReturnType<typeof runAtTerminal> =>
    runAtTerminal(command, [[`delete 1 object (6 B) in ${folder.path}? [y/N] `, answer]])
  const no = await ask('n\r')
  t.is(no.code, 0)
  t.regex(no.shown, /freed 0 objects/)
  t.not(await store.head(fileKey('a/', planted.oldOrphan)), undefined)
  const interrupted = await ask('\u0003')
  t.is(interrupted.code, 130)
  t.not(await store.head(fileKey('a/', planted.oldOrphan)), undefined)
  const yes = await ask('y\r')
  t.regex(yes.shown, /freed 1 object \(6 B\) in /)
  t.is(await store.head(fileKey('a/', planted.oldOrphan)), undefined)
})

test('what a mount has left while others were collected is not collected', async (t) => {
  await using folder = await temporaryFolder()
  const stateDir = join(folder.path, 'state')
  const owner = await serverIdentity(stateDir)
  const orphanIn = async (name: string): Promise<DirectoryStore> => {
    await mkdir(join(folder.path, name))
    const store = new DirectoryStore(join(folder.path, name))
    await using _made = await Lease.acquire({
      file: new OwnerFile(store),
      owner,
      program: 'a mount',
      description: name,
      takeover: '',
      logger: silentLogger,
    })
    await publishContents(store, folder.path, { repository: 'web/', number: 1, contents: {} })
    await store.put(fileKey('web/', planted.oldOrphan), Buffer.from('orphan'))
    return store
  }
  const [first, second] = [await orphanIn('first'), await orphanIn('second')]
  const mountAndDie = (): string => {
    const place = join(folder.path, 'second')
    const left = workingFolder(stateDir, 'name', place, { mountpoint: '/mnt', mountAgain: 'jbfs mount' })
    mkdirSync(join(left, '2'))
    return 'y\r'
  }
  const { code, shown } = await runAtTerminal(
    [process.execPath, jbfsProgram, 'gc', folder.path, '--state-dir', stateDir],
    [[`delete 1 object (6 B) in ${folder.path}/first? [y/N] `, mountAndDie]],
  )
  t.is(code, 8)
  t.regex(shown, /freed before that: 1 object \(6 B\)/)
  t.regex(shown, /this server has written to \S+\/second what may not be published yet/)
  t.is(await first.head(fileKey('web/', planted.oldOrphan)), undefined)
  t.not(await second.head(fileKey('web/', planted.oldOrphan)), undefined)
})

/** The destination is its own by then. */
function withOwner(keys: readonly string[]): string[] {
  return [...new Set([...keys, ownerKey])].sort()
}

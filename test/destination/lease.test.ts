import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import {
  type AcquiredDestination,
  acquireDestination,
  openDestination,
  openOwnerFile,
} from '../../src/destination/destination.ts'
import { ownerKey } from '../../src/destination/layout.ts'
import type { Owner, OwnerRecord } from '../../src/destination/owner-record.ts'
import { type Destination, parseDestination, storeDefaults } from '../../src/destination/parse-destination.ts'
import { takeOver } from '../../src/destination/takeover.ts'
import { objectKey } from '../../src/store/object-store.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { temporaryFolder } from '../support/mounted.ts'
import { realS3Test } from '../support/real-s3-test.ts'
import { type S3Server, startS3Server } from '../support/s3-server.ts'

const here: Owner = { id: 'here', host: 'web1', name: 'web1' }
const there: Owner = { id: 'there', host: 'web2', name: 'offsite' }

interface Scene {
  /** The name of a backup directory that is nobody's yet. */
  newPlace(): Promise<string>
  destination(text: string): Destination
  readonly proxy: FaultProxy | undefined
  readonly env: Readonly<Record<string, string>>
}

const servers = new Map<string, Promise<S3Server>>()

test.after.always(async () => {
  for (const server of servers.values()) await (await server)[Symbol.asyncDispose]()
})

function leaseTest(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>): void {
  test.serial(`directory: ${title}`, async (t) => {
    await using folder = await temporaryFolder()
    let places = 0
    const newPlace = async (): Promise<string> => {
      const path = join(folder.path, String(places++))
      await mkdir(path)
      return path
    }
    await body(t, { newPlace, destination: (text) => parseDestination(text), proxy: undefined, env: {} })
  })
  realS3Test(test.serial, title, async (t, name) => {
    const started = servers.get(name) ?? startS3Server(name)
    servers.set(name, started)
    const server = await started
    Object.assign(process.env, server.env)
    const bucket = await server.createBucket()
    await using proxy = await startFaultProxy(server.endpoint)
    const store = { ...storeDefaults, endpoint: proxy.endpoint, region: server.region }
    let places = 0
    await body(t, {
      newPlace: async () => `s3://${bucket}/backups/${places++}`,
      destination: (text) => parseDestination(text, store),
      proxy,
      env: server.env,
    })
  })
}

function acquire(
  destination: Destination,
  owner: Owner,
  leaseSeconds = 60,
  signal?: AbortSignal,
): Promise<AcquiredDestination> {
  return acquireDestination(destination, {
    logger: silentLogger,
    owner,
    program: 'jbfs test',
    leaseSeconds,
    signal,
  })
}

async function codeOrLease(acquiring: Promise<AcquiredDestination>): Promise<AcquiredDestination | string> {
  return acquiring.catch((error: { code: string }) => error.code)
}

async function read(destination: Destination, key: string): Promise<string | undefined> {
  using opened = openDestination(destination, { logger: silentLogger })
  return (await opened.reader.get(objectKey(key)))?.bytes.toString()
}

leaseTest('of two writers who come at once exactly one wins, 200 times', async (t, scene) => {
  for (let i = 0; i < 200; i++) {
    const place = scene.destination(await scene.newPlace())
    const other = i % 2 === 0 ? there : here
    const results = await Promise.all([acquire(place, here), acquire(place, other)].map(codeOrLease))
    const losers = results.filter((result) => typeof result === 'string')
    t.deepEqual(losers, [other === here ? 'in-use' : 'owned'], `race ${i}`)
    for (const result of results) if (typeof result !== 'string') await result[Symbol.asyncDispose]()
  }
})

leaseTest('another server is refused, told by whom, and may read all the same', async (t, scene) => {
  const place = scene.destination(await scene.newPlace())
  {
    await using held = await acquire(place, there)
    await held.store.put(objectKey('files/a'), Buffer.from('content'))
    await t.throwsAsync(acquire(place, here), {
      code: 'owned',
      message:
        /belongs to offsite \(web2\), which is writing to it \(jbfs test, \d+ s ago\): .*--read-only.*takeover/,
    })
    t.is(await read(place, 'files/a'), 'content')
  }
  await t.throwsAsync(acquire(place, here), { code: 'owned', message: /last heard of \d+ s ago/ })
  await using again = await acquire(place, there)
  t.is(again.lease.token, 2)
})

leaseTest('a second process of the owner is refused while the first one is at work', async (t, scene) => {
  const place = scene.destination(await scene.newPlace())
  await using held = await acquire(place, here)
  await t.throwsAsync(acquire(place, here), {
    code: 'in-use',
    message: /is being written to by jbfs test \(process \d+ on web1, heard of \d+ s ago\): .*--read-only/,
  })
  held.lease.check()
})

leaseTest('a lease is renewed for as long as it is held', async (t, scene) => {
  const place = scene.destination(await scene.newPlace())
  await using held = await acquire(place, here, 6)
  await delay(8000)
  await held.store.put(objectKey('files/a'), Buffer.from('content'))
  t.false(held.lease.signal.aborted)
  await t.throwsAsync(acquire(place, here, 6), { code: 'in-use' })
})

leaseTest(
  'a lease that is renewed late, while another waits for it to run out, is not taken',
  async (t, scene) => {
    const place = scene.destination(await scene.newPlace())
    using owning = openOwnerFile(place, { logger: silentLogger })
    const record = (renewal: number): OwnerRecord => {
      const lease = { token: 1, holder: 'late', renewal, seconds: 6, revoked: false, since: 0 }
      return { owner: here, token: 1, lease: { ...lease, program: 'late', pid: 1, process: 'elsewhere' } }
    }
    const etag = await owning.file.replace(undefined, record(0))
    await delay(3600)
    const refused = t.throwsAsync(acquire(place, here, 6), { code: 'in-use' })
    await delay(1500)
    t.truthy(await owning.file.replace(etag, record(1)))
    await refused
  },
)

leaseTest(
  'what is taken over is lost to its holder, and free only when its lease has run out',
  async (t, scene) => {
    const place = scene.destination(await scene.newPlace())
    await using held = await acquire(place, there, 3)
    using owning = openOwnerFile(place, { logger: silentLogger })
    const found = await owning.file.read()
    t.is(found?.record.owner.name, 'offsite')
    t.true(await takeOver(owning.file, here, found))
    t.false(await takeOver(owning.file, there, found), 'what has changed since is not taken over')
    const started = performance.now()
    let lostAfter: number | undefined
    held.lease.signal.addEventListener('abort', () => {
      lostAfter = performance.now() - started
    })
    const told: string[] = []
    await using taken = await acquireDestination(place, {
      ...{ logger: silentLogger, owner: here, program: 'jbfs test', leaseSeconds: 3 },
      onWait: (text) => told.push(text),
    })
    t.regex(
      told[0] ?? '',
      /^waiting for at most \d s until the lease of \S+ has run out: whoever it was taken from may write until then$/,
    )
    t.true(lostAfter !== undefined, 'the old holder knew before there was a new one')
    await t.throwsAsync(held.store.put(objectKey('files/late'), Buffer.from('x')), { code: 'lease-lost' })
    await t.throwsAsync(held.store.delete([objectKey('files/a')]), { code: 'lease-lost' })
    await taken.store.put(objectKey('files/a'), Buffer.from('mine'))
    t.is(await read(place, 'files/late'), undefined)
    t.is(await read(place, 'files/a'), 'mine')
  },
)

leaseTest(
  'an owner that cannot be understood keeps all writers out until it is taken over',
  async (t, scene) => {
    const place = scene.destination(await scene.newPlace())
    {
      await using held = await acquire(place, there)
      await held.store.put(objectKey(ownerKey), Buffer.from('{"format":9}'))
    }
    await t.throwsAsync(acquire(place, here), { code: 'bad-owner', message: /format 9.*read-only.*takeover/ })
    using owning = openOwnerFile(place, { logger: silentLogger })
    t.false(await takeOver(owning.file, here, undefined), "it was shown to be nobody's, and is not")
    t.true(await takeOver(owning.file, here, 'unreadable'))
    t.like((await owning.file.read())?.record.lease, { revoked: true, seconds: 60 })
    const patience = new AbortController()
    const hasty = acquire(place, here, 60, patience.signal)
    setTimeout(() => patience.abort(new Error('still waiting')), 1000)
    await t.throwsAsync(hasty, { message: 'still waiting' }, 'whoever wrote it may still be writing')
  },
)

leaseTest('a lease that is not renewed any more is not waited for after a takeover', async (t, scene) => {
  const place = scene.destination(await scene.newPlace())
  using owning = openOwnerFile(place, { logger: silentLogger })
  const lease = { token: 1, holder: 'gone', renewal: 0, seconds: 1, revoked: false, since: 0 }
  const gone = { ...lease, program: 'gone', pid: 1, process: 'elsewhere' }
  await owning.file.replace(undefined, { owner: there, token: 1, lease: gone })
  await delay(3000)
  t.true(await takeOver(owning.file, here, await owning.file.read()))
  t.is((await owning.file.read())?.record.lease, undefined)
})

leaseTest('who asks learns at once that the lease was taken', async (t, scene) => {
  const place = scene.destination(await scene.newPlace())
  await using held = await acquire(place, there)
  await held.lease.confirm()
  using owning = openOwnerFile(place, { logger: silentLogger })
  t.true(await takeOver(owning.file, here, await owning.file.read()))
  held.lease.check()
  await t.throwsAsync(held.lease.confirm(), {
    code: 'lease-lost',
    message: /web1 has taken it \(\d+ s ago\)/,
  })
  t.true(held.lease.signal.aborted)
  await t.throwsAsync(held.store.put(objectKey('files/late'), Buffer.from('x')), { code: 'lease-lost' })
})

for (const round of [1, 2, 3])
  leaseTest(`a writer frozen past its lease writes nothing when it goes on (${round})`, async (t, scene) => {
    const late = await writtenLate(t, scene)
    // Frozen in the microseconds between its last look at the clock and the system call, it sends that one request (`src/store/guarded-agent.ts`): hardly ever twice.
    t.true(new Set(late.map((name) => /files\/[\d-]+/.exec(name)?.[0])).size <= 1, late.join(' '))
    if (late.length > 0) t.deepEqual(await writtenLate(t, scene), [])
  })

/** What a writer frozen at some moment writes when it goes on, and its lease is another's: requests and keys. */
async function writtenLate(t: ExecutionContext, scene: Scene): Promise<string[]> {
  const text = await scene.newPlace()
  const script = join(import.meta.dirname, '../support/lease-writer.ts')
  const writer = spawn(process.execPath, [script, text, scene.proxy?.endpoint ?? '', '3'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...scene.env },
  })
  const closed = once(writer, 'close')
  try {
    const lines = createInterface({ input: writer.stdout })
    const words = lines[Symbol.asyncIterator]()
    t.is((await words.next()).value, 'acquired')
    await words.next()
    await delay(Math.random() * 300)
    writer.kill('SIGSTOP')
    await delay(2500)
    const place = scene.destination(text)
    // Stopped with the lock of the directory in its hands it keeps everybody else waiting.
    const nudge = setInterval(() => {
      writer.kill('SIGCONT')
      setTimeout(() => writer.kill('SIGSTOP'), 5)
    }, 10_000)
    await using next = await acquireWhenFree(place, {
      id: 'the one server',
      host: 'here',
      name: 'here',
    }).finally(() => clearInterval(nudge))
    // Its own renewals go on.
    const written = async (): Promise<string[]> => [
      ...writesOf(scene.proxy).filter((url) => !url.includes(ownerKey)),
      ...(await keysOf(place)),
    ]
    const before = new Set(await written())
    writer.kill('SIGCONT')
    let last: string | undefined
    for (let word = await words.next(); !word.done; word = await words.next()) last = word.value
    t.is(last, 'lease-lost')
    await closed
    next.lease.check()
    return (await written()).filter((name) => !before.has(name))
  } finally {
    writer.kill('SIGKILL')
    await closed
  }
}

/** A server's Date may lag behind its clock, so that the last renewal looks younger than it is. */
async function acquireWhenFree(place: Destination, owner: Owner): Promise<AcquiredDestination> {
  for (;;) {
    const result = await codeOrLease(acquire(place, owner, 3))
    if (typeof result !== 'string') return result
    if (result !== 'in-use') throw new Error(result)
    await delay(200)
  }
}

function writesOf(proxy: FaultProxy | undefined): string[] {
  return (proxy?.requests ?? [])
    .filter(({ kind }) => kind === 'PUT' || kind === 'POST' || kind === 'DELETE')
    .map(({ url }) => url)
}

async function keysOf(place: Destination): Promise<string[]> {
  using opened = openDestination(place, { logger: silentLogger })
  const keys: string[] = []
  for await (const page of opened.reader.list('files/')) keys.push(...page.objects.map(({ key }) => key))
  return keys
}

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { writeSampleAccount } from '../../src/sample/sample-account.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import {
  jbfsProgram,
  type MountedDestination,
  mountDestination,
  temporaryFolder,
  whyNoMounts,
} from '../support/mounted.ts'
import { realS3Test } from '../support/real-s3-test.ts'
import { output, run } from '../support/run.ts'
import { startS3Server } from '../support/s3-server.ts'

interface Scene {
  readonly source: string
  readonly proxy: FaultProxy
  readonly mount: MountedDestination
  readonly snapshot: string
  readonly env: Readonly<Record<string, string>>
  readonly bucket: string
}

/** A sample account imported to a real S3 server and mounted through the proxy, for each server there is. */
function s3Test(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>): void {
  const onServer = async (t: ExecutionContext, name: string): Promise<void> => {
    await using folder = await temporaryFolder()
    await using server = await startS3Server(name)
    const bucket = await server.createBucket()
    const source = join(folder.path, 'source')
    await writeSampleAccount(source, { files: 300, seed: 3 })
    await mkdir(join(source, 'numbered'))
    for (let i = 0; i < 60; i++) await writeFile(join(source, 'numbered', `file-${i + 10}`), `content ${i}\n`)
    const { env } = server
    const place = `s3://${bucket}/backups/customer/snap.1`
    await output(process.execPath, [jbfsProgram, 'import', source, place, '--endpoint', server.endpoint], {
      env: { ...env, HOME: folder.path },
    })
    await using proxy = await startFaultProxy(server.endpoint)
    await using mount = await mountDestination(folder.path, `s3://${bucket}/backups`, {
      args: ['--endpoint', proxy.endpoint, '--refresh', '0'],
      env,
    })
    await body(t, { source, proxy, mount, snapshot: join(mount.path, 'customer/snap.1'), env, bucket })
  }
  realS3Test(test.serial, title, onServer, whyNoMounts())
}

s3Test('rsync finds nothing to do', async (t, { source, snapshot }) => {
  const args = [
    '-aHAX',
    '--dry-run',
    '--itemize-changes',
    '--checksum',
    '--max-size=1G',
    `${source}/`,
    `${snapshot}/`,
  ]
  t.is(await output('rsync', args), '')
})

s3Test('metadata costs no request once the index is open, and reading sends only GET', async (t, scene) => {
  const { proxy, snapshot, source } = scene
  await readdir(snapshot)
  proxy.reset()
  await output('find', [snapshot, '-printf', '%s %p %l\\n'])
  await output('ls', ['-lR', snapshot])
  await output('du', ['-s', snapshot])
  t.deepEqual(proxy.requests, [])

  await output('sh', [
    '-c',
    'find "$1" -type f -size -100M -print0 | xargs -0 cat > /dev/null',
    'sh',
    snapshot,
  ])
  await run('touch', [join(snapshot, 'new')])
  await run('rm', ['-rf', join(snapshot, 'homedir')])
  const { GET, ...others } = proxy.counts()
  t.true(GET > 0)
  t.deepEqual(others, { HEAD: 0, LIST: 0, PUT: 0, POST: 0, DELETE: 0 })
  t.true((await readdir(join(source, 'homedir'))).length > 0)
})

s3Test(
  'each file of a tree that is copied is fetched once, ahead of its reader; ls and a single read fetch nothing ahead',
  async (t, scene) => {
    const { proxy, snapshot } = scene
    const numbered = join(snapshot, 'numbered')
    await output('ls', ['-l', numbered])
    proxy.reset()
    t.is(await readFile(join(numbered, 'file-40'), 'utf8'), 'content 30\n')
    t.is(proxy.counts().GET, 1)
    for (let i = 10; i < 14; i++) await readFile(join(numbered, `file-${i}`))
    t.true(proxy.counts().GET > 5, 'further files are on their way')
    await output('sh', ['-c', 'cat "$1"/* > /dev/null', 'sh', numbered])
    const gets = proxy.requests.filter(({ url }) => /\/files\//.test(url)).map(({ url }) => url)
    t.is(new Set(gets).size, gets.length, 'none twice')
  },
)

for (const fault of [500, 503, 'reset', 'half'] as const)
  s3Test(`a read succeeds after ${fault} and recovery`, async (t, { proxy, snapshot }) => {
    await readdir(snapshot)
    proxy.inject({ fault, times: 2, match: ({ kind }) => kind === 'GET' })
    t.is(await readFile(join(snapshot, 'numbered/file-20'), 'utf8'), 'content 10\n')
  })

s3Test('an outage is EIO for what needs the store, and passes', async (t, { proxy, snapshot, mount }) => {
  await readdir(snapshot)
  proxy.inject({ fault: 503 })
  await t.throwsAsync(readFile(join(snapshot, 'numbered/file-21')), { code: 'EIO' })
  t.true((await readdir(join(snapshot, 'numbered'))).length === 60, 'metadata is served all the same')
  proxy.reset()
  t.is(await readFile(join(snapshot, 'numbered/file-21'), 'utf8'), 'content 11\n')
  t.regex(await mount.log(), /503/)
})

s3Test('Ctrl-C ends a reader of a hung store', async (t, { proxy, snapshot }) => {
  await readdir(snapshot)
  proxy.inject({ fault: 'hang' })
  // timeout(1) sends SIGINT after half a second, and SIGKILL if that has not ended it a second later.
  const cat = await run('timeout', ['-s', 'INT', '-k', '1', '0.5', 'cat', join(snapshot, 'numbered/file-30')])
  t.is(cat.code, 124, '137 would be the SIGKILL')
})

s3Test('a new snapshot is noticed on SIGHUP, `latest` follows, and what is open stays', async (t, scene) => {
  const { mount, source, env, bucket, proxy, snapshot } = scene
  t.deepEqual((await readdir(join(mount.path, 'customer'))).sort(), ['latest', 'snap.1'])
  await readdir(snapshot)
  const place = `s3://${bucket}/backups/customer`
  const args = ['import', source, place, '--created', 'now', '--endpoint', proxy.endpoint]
  await output(process.execPath, [jbfsProgram, ...args], { env: { ...env, HOME: join(source, '..') } })
  mount.daemon.kill('SIGHUP')
  const deadline = Date.now() + 20_000
  while (!/has changed/.test(await mount.log()) && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 50))
  t.deepEqual((await readdir(join(mount.path, 'customer'))).sort(), ['latest', 'snap.1', 'snap.2'])
  t.is((await output('readlink', [join(mount.path, 'customer/latest')])).trim(), 'snap.2')
  t.is(await readFile(join(mount.path, 'customer/latest/numbered/file-12'), 'utf8'), 'content 2\n')
  t.is(await readFile(join(snapshot, 'numbered/file-12'), 'utf8'), 'content 2\n')
})

realS3Test(
  test.serial,
  'what is wrong with the way to the store is one line of the command',
  async (t, name) => {
    await using folder = await temporaryFolder()
    await using server = await startS3Server(name)
    const bucket = await server.createBucket()
    await mkdir(join(folder.path, 'mnt'))
    const attempt = async (
      destination: string,
      endpoint: string,
      env: Record<string, string>,
    ): Promise<string> => {
      const args = [
        'mount',
        destination,
        join(folder.path, 'mnt'),
        '--endpoint',
        endpoint,
        '--cache-dir',
        join(folder.path, 'cache'),
        '--http-retries',
        '0',
      ]
      const { code, stderr } = await run(process.execPath, [jbfsProgram, ...args], {
        env: { ...server.env, HOME: folder.path, ...env },
      })
      t.not(code, 0)
      t.regex(stderr, /^jbfs: [^\n]+\n$/)
      for (const secret of [server.secretAccessKey, env.AWS_SECRET_ACCESS_KEY ?? 'none'])
        t.false(stderr.includes(secret))
      return stderr
    }
    const place = `s3://${bucket}/backups`
    t.regex(await attempt(place, server.endpoint, { AWS_ACCESS_KEY_ID: 'unknown' }), /access key/)
    t.regex(
      await attempt(place, server.endpoint, { AWS_SECRET_ACCESS_KEY: 'wrong-secret-key' }),
      /secret key/,
    )
    t.regex(await attempt('s3://no-such-bucket-here/backups', server.endpoint, {}), /no such bucket/)
    t.regex(await attempt(place, 'http://127.0.0.1:1', {}), /connection refused/)
    t.regex(
      await attempt(place, server.endpoint.replace('http:', 'https:'), {}),
      /TLS|certificate|connection failed/i,
    )
  },
  whyNoMounts(),
)

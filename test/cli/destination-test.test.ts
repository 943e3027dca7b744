import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { temporaryFolder } from '../support/mounted.ts'
import { runJbfs, type TextResult } from '../support/run-jbfs.ts'
import { type S3Server, startS3Server, whyNoS3 } from '../support/s3-server.ts'
import { testUnless } from '../support/test-unless.ts'
import { startTlsFront } from '../support/tls-front.ts'

/** What `jbfs destination test` says of destinations with one fault each. */

interface Scene {
  readonly folder: string
  readonly server: S3Server
  readonly bucket: string
  /** Tests `s3://bucket/web`, or another place. */
  tested(setting?: {
    readonly bucket?: string
    readonly args?: readonly string[]
    readonly env?: Readonly<Record<string, string | undefined>> | undefined
  }): Promise<TextResult>
}

function serverTest(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>): void {
  // The one that has a guest.
  const name = 'versitygw'
  testUnless(test.serial, whyNoS3(name))(title, async (t) => {
    await using folder = await temporaryFolder()
    await using server = await startS3Server(name)
    const bucket = await server.createBucket()
    const tested: Scene['tested'] = ({ bucket: other = bucket, args = [], env = {} } = {}) =>
      runJbfs(['destination', 'test', `s3://${other}/web`, '--endpoint', server.endpoint, ...args], {
        cwd: folder.path,
        env: { ...server.env, HOME: folder.path, XDG_STATE_HOME: folder.path, ...env },
      })
    await body(t, { folder: folder.path, server, bucket, tested })
  })
}

/** One line begins with ✗, this one, and the next is its advice. */
function fails(
  t: ExecutionContext,
  { code, stdout, stderr }: TextResult,
  check: string,
  text: RegExp,
  advice: RegExp,
): void {
  t.is(code, 3, stderr)
  const lines = stdout.split('\n')
  const failed = lines.filter((line) => line.startsWith('✗'))
  t.is(failed.length, 1, stdout)
  t.regex(failed[0] as string, new RegExp(`^✗ ${check} +`), stdout)
  t.regex(failed[0] as string, text)
  t.regex(lines[lines.indexOf(failed[0] as string) + 1] as string, /^ +→ /)
  t.regex(lines[lines.indexOf(failed[0] as string) + 1] as string, advice)
  t.regex(stderr, /cannot be used as it is: one step fails/)
}

serverTest(
  'a destination that is in order passes, and keeps nothing of the test',
  async (t, { server, bucket, tested }) => {
    const { code, stdout, stderr } = await tested()
    t.is(code, 0, stderr)
    t.notRegex(stdout, /✗/)
    for (const check of [
      'connection',
      'clock',
      'keys',
      'region',
      'bucket',
      'list',
      'read',
      'owner',
      'write',
      'conditions',
    ])
      t.regex(stdout, new RegExp(`^✓ ${check} `, 'm'))
    t.regex(stdout, /^! TLS +not used/m)
    t.regex(stdout, /^✓ versioning +off/m)
    t.regex(stdout, /^- lifecycle +the server does not know this/m)
    // versitygw keeps a folder of its own.
    const left = await readdir(join(server.dataDir, bucket))
    t.deepEqual(
      left.filter((name) => name !== '.sgwtmp'),
      [],
    )
  },
)

serverTest('an access key that the server does not know', async (t, { tested }) => {
  const result = await tested({ env: { AWS_ACCESS_KEY_ID: 'nobody' } })
  fails(t, result, 'keys', /does not know the access key/, /copy it once more.*AWS_ACCESS_KEY_ID/)
})

serverTest('a secret key that does not belong to the access key', async (t, { tested }) => {
  const result = await tested({ env: { AWS_SECRET_ACCESS_KEY: 'another' } })
  fails(t, result, 'keys', /secret key is not the one/, /copy the secret key once more/)
})

serverTest('a wrong region, and the right one as the server says it', async (t, { tested }) => {
  const result = await tested({ args: ['--region', 'eu-south-7'] })
  fails(t, result, 'region', /it is not eu-south-7: the server says us-east-1/, /--region us-east-1/)
})

serverTest('a proxy that is not there', async (t, { tested }) => {
  const result = await tested({
    env: { HTTP_PROXY: 'http://user:proxy-password-7@127.0.0.1:1', NO_PROXY: '' },
  })
  fails(t, result, 'connection', /by way of the proxy 127.0.0.1:1/, /port in HTTPS_PROXY, .* NO_PROXY/)
  t.notRegex(result.stdout + result.stderr, /proxy-password/)
})

serverTest('a bucket that is not there', async (t, { tested }) => {
  const result = await tested({ bucket: 'no-such-bucket-7' })
  fails(t, result, 'bucket', /there is no bucket no-such-bucket-7/, /make it at the vendor/)
})

serverTest('keys that may not write', async (t, { server, bucket, tested }) => {
  await server.guest?.permit(bucket, ['s3:ListBucket', 's3:GetObject'])
  const result = await tested({ env: server.guest?.env })
  fails(t, result, 'write', /not allowed/, /s3:PutObject/)
  const { code, stdout } = await tested({ env: server.guest?.env, args: ['--read-only'] })
  t.regex(stdout, /^- versioning +the keys may not look at this/m)
  t.is(code, 0, 'nothing is written to find out whether it can be read')
})

serverTest('keys that may not list', async (t, { server, bucket, tested }) => {
  await server.guest?.permit(bucket, ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'])
  fails(t, await tested({ env: server.guest?.env }), 'list', /may not list/, /s3:ListBucket/)
})

serverTest('a certificate that nobody vouches for', async (t, { server, tested }) => {
  await using front = await startTlsFront(server.endpoint)
  const args = ['--endpoint', front.endpoint]
  fails(t, await tested({ args }), 'TLS', /nobody that this machine trusts/, /--ca-file/)
  const trusting = await tested({ args: [...args, '--ca-file', front.certificate] })
  t.is(trusting.code, 0, trusting.stderr)
  t.regex(trusting.stdout, /^✓ TLS +TLSv1\.\d, signed by jbfs test, valid until /m)
  const unchecked = await tested({ args: [...args, '--no-verify-ssl'] })
  t.is(unchecked.code, 0, unchecked.stderr)
  t.regex(unchecked.stdout, /^! TLS +.*not checked/m)
})

serverTest('a host that is not there', async (t, { tested }) => {
  const result = await tested({ args: ['--endpoint', 'https://no-such-host.invalid'] })
  fails(t, result, 'host', /there is no host no-such-host.invalid/, /typing error/)
})

serverTest('a port at which nothing answers', async (t, { tested }) => {
  const result = await tested({ args: ['--endpoint', 'http://127.0.0.1:1'] })
  fails(t, result, 'connection', /refused/, /right port/)
})

serverTest('a clock that is 20 minutes off', async (t, { folder, tested }) => {
  // The clock of a process cannot be set, but what it reads of it can.
  const script = join(folder, 'clock.mjs')
  await writeFile(
    script,
    `const Clock = Date
     globalThis.Date = class extends Clock {
       constructor(...args) { super(...(args.length > 0 ? args : [Date.now()])) }
       static now() { return Clock.now() + 20 * 60_000 }
     }`,
  )
  const result = await tested({ env: { NODE_OPTIONS: `--import=${pathToFileURL(script)}` } })
  fails(t, result, 'clock', /20 min ahead of the server's/, /timedatectl/)
})

serverTest('a server that has trouble is none of the above', async (t, { server, tested }) => {
  await using proxy = await startFaultProxy(server.endpoint)
  proxy.inject({ fault: 503, match: ({ kind }) => kind === 'LIST' })
  fails(t, await tested({ args: ['--endpoint', proxy.endpoint] }), 'connection', /503/, /try again/)
})

serverTest(
  "another server's directory is not written to, may be read, and can be taken over",
  async (t, scene) => {
    const { folder, server, bucket, tested } = scene
    const source = join(folder, 'source')
    await mkdir(source)
    await writeFile(join(source, 'file'), 'content')
    const place = `s3://${bucket}/web`
    const jbfs = (state: string, ...args: string[]): Promise<TextResult> =>
      runJbfs([...args, '--state-dir', join(folder, state), '--endpoint', server.endpoint], {
        env: { ...server.env, HOME: folder },
      })
    const first = await jbfs('first', 'import', source, `${place}/account/snap.1`)
    t.is(first.code, 0, first.stderr)

    const args = ['--state-dir', join(folder, 'second')]
    const refused = await tested({ args })
    fails(t, refused, 'owner', /it belongs to /, /--read-only.*jbfs destination takeover s3:/)
    t.regex(refused.stdout, /^- write +not tried/m)
    const command = `: jbfs destination takeover ${place} --endpoint=${server.endpoint}`
    const inside = await jbfs('second', 'destination', 'test', `${place}/account`)
    fails(t, inside, 'owner', /it belongs to .*, as a part of s3:.*\/web, /, /take s3:.*\/web over for good/)
    t.true(inside.stdout.includes(command), inside.stdout)
    const alone = await jbfs('second', 'destination', 'takeover', `${place}/account`, '--yes')
    t.is(alone.code, 8)
    t.true(alone.stderr.includes(command), alone.stderr)
    const reading = await tested({ args: [...args, '--read-only'] })
    t.is(reading.code, 0, reading.stderr)

    const unasked = await jbfs('second', 'destination', 'takeover', place)
    t.is(unasked.code, 2, unasked.stderr)
    t.regex(unasked.stderr, /belongs to .*Say --yes/)
    const taken = await jbfs('second', 'destination', 'takeover', place, '--yes')
    t.is(taken.code, 0, taken.stderr)
    t.regex(taken.stdout, /belongs to .* now/)
    t.is((await tested({ args })).code, 0)
    const late = await jbfs('first', 'import', source, `${place}/account/snap.2`)
    t.is(late.code, 8, late.stderr)
    t.regex(late.stderr, /belongs to /)
  },
)

test('a folder, and one that is not there', async (t) => {
  await using folder = await temporaryFolder()
  const env = { HOME: folder.path, XDG_STATE_HOME: folder.path }
  const there = await runJbfs(
    ['destination', 'test', folder.path, '--state-dir', join(folder.path, 'state')],
    { env },
  )
  t.is(there.code, 0, there.stderr)
  t.regex(there.stdout, /^✓ write /m)
  t.notRegex(there.stdout, /TLS|versioning/)
  const missing = await runJbfs(['destination', 'test', join(folder.path, 'missing')], { env })
  fails(t, missing, 'folder', /there is no folder/, /make the folder/)
})

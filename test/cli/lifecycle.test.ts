import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  GetBucketLifecycleConfigurationCommand,
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
} from '@aws-sdk/client-s3'
import test, { type ExecutionContext } from 'ava'
import { type BucketHistory, bucketHistory } from '../support/bucket-history.ts'
import { type BucketAnswers, errorAnswer, startBucketServer } from '../support/bucket-server.ts'
import { jbfsProgram, temporaryFolder } from '../support/mounted.ts'
import { runJbfs, type TextResult } from '../support/run-jbfs.ts'
import { startS3Server, whyNoS3 } from '../support/s3-server.ts'
import { runAtTerminal } from '../support/terminal.ts'
import { testUnless } from '../support/test-unless.ts'

/** `jbfs destination lifecycle`, as its users see it. */

interface Place {
  readonly bucket: string
  readonly history: BucketHistory
  readonly config: string
  /** `jbfs destination lifecycle offsite …`; `offsite` is the folder `web` of the bucket. */
  lifecycle(...args: string[]): Promise<TextResult>
  rules(): Promise<LifecycleRule[]>
  setRules(...rules: LifecycleRule[]): Promise<void>
}

function realTest(
  name: 'minio' | 'versitygw',
  title: string,
  body: (t: ExecutionContext, place: Place) => Promise<void>,
  fields = '',
): void {
  testUnless(test, whyNoS3(name))(`${name}: ${title}`, async (t) => {
    await using server = await startS3Server(name)
    await using folder = await temporaryFolder()
    const Bucket = await server.createBucket()
    using history = bucketHistory(server, Bucket)
    const config = join(folder.path, 'destinations.toml')
    await writeFile(
      config,
      `[offsite]\nvendor = "custom"\nendpoint = "${server.endpoint}"\nbucket = "${Bucket}"\nbackup_directory = "/web"\n` +
        `access_key = "${server.accessKeyId}"\nsecret_key = "${server.secretAccessKey}"\n${fields}`,
      { mode: 0o600 },
    )
    await body(t, {
      bucket: Bucket,
      history,
      config,
      lifecycle: (...args) => runJbfs(['destination', 'lifecycle', 'offsite', '--config', config, ...args]),
      async rules() {
        const command = new GetBucketLifecycleConfigurationCommand({ Bucket })
        return (await history.client.send(command)).Rules ?? []
      },
      async setRules(...Rules) {
        await history.client.send(
          new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }),
        )
      },
    })
  })
}

const logs: LifecycleRule = {
  ID: 'logs',
  Status: 'Enabled',
  Filter: { And: { Prefix: 'logs/', Tags: [{ Key: 'a', Value: 'b' }] } },
  Expiration: { Days: 3 },
}
const everything: LifecycleRule = {
  ID: 'everything',
  Status: 'Enabled',
  Filter: { Prefix: '' },
  Expiration: { Days: 3650 },
}

realTest('minio', 'all that a bucket keeps beside the backups is shown', async (t, place) => {
  const { bucket, history, lifecycle, setRules } = place
  await history.setVersioning('Enabled')
  for (const key of ['web/a', 'web/a', 'web/b', 'webx/c', 'webx/c']) await history.put(key)
  await history.delete('web/b')
  await history.beginUpload('web/big', 1)
  await setRules(logs, everything)
  const { code, stdout, stderr } = await lifecycle()
  t.is(stderr, '')
  t.is(code, 0)
  t.deepEqual(stdout.replace(/\d{4}-.*?(?=\))/, 'DATE').split('\n'), [
    `place         s3://${bucket}/web`,
    'versioning    enabled',
    'old versions  2 noncurrent (10 B), 1 delete marker',
    'open uploads  1 incomplete (5.0 MiB of parts, the oldest of DATE)',
    'rules',
    '  "everything", in the whole bucket: current objects are deleted after 3650 days',
    'rules for other places in the bucket',
    '  "logs", below logs/ with tag a=b: current objects are deleted after 3 days',
    'warning: this rule deletes current objects, and so destroys backups: "everything", in the whole bucket: ' +
      'current objects are deleted after 3650 days',
    'note: MinIO takes no rule for incomplete uploads: it removes them itself, after 24 hours unless it is set otherwise',
    '--apply would change:',
    '+ "jbfs web/", below web/: noncurrent versions are deleted after 30 days; delete markers with no version left are removed',
    '',
  ])
  const json = JSON.parse((await lifecycle('--json')).stdout)
  t.like(json, {
    place: `s3://${bucket}/web`,
    prefix: 'web/',
    versioning: 'enabled',
    noncurrent: { noncurrentVersions: 2, noncurrentBytes: 10, deleteMarkers: 1 },
    uploads: { uploads: 1, bytes: 5 * 2 ** 20 },
    problems: [],
  })
  t.regex(json.uploads.oldest, /^\d{4}-\d\d-\d\dT.*Z$/)
  t.deepEqual(
    json.rules.map((rule: Record<string, unknown>) => [rule.id, rule.applies, rule.deletesCurrent]),
    [
      ['logs', false, true],
      ['everything', true, true],
    ],
  )
})

realTest('minio', '--apply sets the recommended rule, and leaves those of others', async (t, place) => {
  const { bucket, lifecycle, rules, setRules } = place
  const refused = await lifecycle('--apply')
  t.is(refused.code, 2)
  t.is(refused.stderr, 'jbfs: say --yes to change the lifecycle rules for offsite\n')
  await t.throwsAsync(rules(), { name: 'NoSuchLifecycleConfiguration' })

  await setRules(logs, everything)
  const before = await rules()
  const { code, stdout, stderr } = await lifecycle('--apply', '--yes')
  t.is(code, 0, stderr)
  t.regex(
    stdout,
    /^warning: this rule deletes current objects.*\nnote: MinIO .*\n\+ "jbfs web\/", .*\nthe rules are set at s3:/,
  )
  const [first, second, ours] = await rules()
  t.deepEqual([first, second], before)
  t.like(ours, {
    ID: 'jbfs web/',
    Filter: { Prefix: 'web/' },
    NoncurrentVersionExpiration: { NoncurrentDays: 30 },
    Expiration: { ExpiredObjectDeleteMarker: true },
  })

  t.regex((await lifecycle('--apply')).stdout, new RegExp(`nothing to change at s3://${bucket}/web\n$`))
  t.false((await lifecycle()).stdout.includes('--apply'))

  const other = await lifecycle('--apply', '--yes', '--json', '--noncurrent-days', '90')
  t.deepEqual(JSON.parse(other.stdout).leftOut, [])
  t.regex(other.stderr, /^- "jbfs web\/".* 30 days.*\n\+ "jbfs web\/".* 90 days/m)
  t.like(await rules(), [first, second, { NoncurrentVersionExpiration: { NoncurrentDays: 90 } }])
  t.is((await rules()).length, 3)

  // A folder below has a rule of its own.
  const below = await runJbfs([
    'destination',
    'lifecycle',
    'offsite/ann',
    '--config',
    place.config,
    '--apply',
    '--yes',
  ])
  t.is(below.code, 0, below.stderr)
  t.deepEqual(
    (await rules()).map(({ ID }) => ID),
    ['logs', 'everything', 'jbfs web/', 'jbfs web/ann/'],
  )
})

realTest('minio', 'at a terminal --apply asks', async (t, { config, rules }) => {
  const command = ['destination', 'lifecycle', 'offsite', '--apply', '--config', config]
  const answer = (key: string) =>
    runAtTerminal([process.execPath, jbfsProgram, ...command], [['set these rules for offsite? [y/N] ', key]])
  const stays = await answer('\r')
  t.is(stays.code, 0, stays.shown)
  t.regex(stays.shown, /\+ "jbfs web\/".*the rules stay as they are/s)
  await t.throwsAsync(rules(), { name: 'NoSuchLifecycleConfiguration' })
  const set = await answer('y\r')
  t.regex(set.shown, /the rules are set at/)
  t.is((await rules()).length, 1)
})

realTest(
  'minio',
  'no rules are set for a destination that is only read, but they are shown',
  async (t, { lifecycle }) => {
    const { code, stderr } = await lifecycle('--apply', '--yes')
    t.is(code, 2)
    t.regex(stderr, /^jbfs: nothing is written to offsite: its settings say read_only = true/)
    t.is((await lifecycle()).code, 0)
  },
  'read_only = true\n',
)

realTest(
  'versitygw',
  'a server without lifecycle rules is told in a line, with what to do',
  async (t, place) => {
    const { bucket, history, lifecycle } = place
    await history.setVersioning('Enabled')
    await history.put('web/a')
    await history.put('web/a')
    await history.beginUpload('web/big', 1)
    const { code, stdout } = await lifecycle()
    t.is(code, 0)
    t.regex(stdout, /^old versions {2}1 noncurrent \(5 B\), 0 delete markers$/m)
    t.regex(stdout, /^open uploads {2}1 incomplete \(5\.0 MiB of parts/m)
    t.regex(stdout, /^rules +not known: the server does not know this kind of request$/m)
    const advice =
      "the server has no lifecycle rules: remove noncurrent versions and incomplete uploads with the server's own tools"
    t.true(stdout.endsWith(`note: ${advice}\n`), stdout)
    const applied = await lifecycle('--apply', '--yes')
    t.is(applied.code, 3)
    t.is(applied.stderr, `jbfs: s3://${bucket}/web: ${advice}\n`)
  },
)

const keys = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }

async function atServer(
  answers: BucketAnswers,
  args: readonly string[],
  vendor?: string,
): Promise<TextResult & { questions: string[] }> {
  await using server = await startBucketServer(answers)
  await using folder = await temporaryFolder()
  const config = join(folder.path, 'destinations.toml')
  await writeFile(
    config,
    `[offsite]\nvendor = "${vendor ?? 'custom'}"\nendpoint = "${server.endpoint}"\nregion = "here"\nbucket = "backups"\n` +
      'backup_directory = "/web"\n',
    { mode: 0o600 },
  )
  const place =
    vendor === undefined
      ? ['s3://backups/web', '--endpoint', server.endpoint, '--region', 'here']
      : ['offsite', '--config', config]
  const result = await runJbfs(['destination', 'lifecycle', ...place, '--http-retries', '0', ...args], {
    env: keys,
  })
  return { ...result, questions: server.requests.map(({ question }) => question) }
}

const enabled = { body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>' }
const noVersions = {
  body:
    '<ListVersionsResult><IsTruncated>false</IsTruncated>' +
    '<Version><Key>web/a</Key><VersionId>1</VersionId><IsLatest>false</IsLatest><Size>7</Size></Version></ListVersionsResult>',
}
const noRules = errorAnswer(404, 'NoSuchLifecycleConfiguration')

test('what is refused is told, and hides nothing else', async (t) => {
  const denied = errorAnswer(403, 'AccessDenied')
  const answers = { versioning: enabled, versions: noVersions, lifecycle: denied, uploads: denied }
  const { code, stdout } = await atServer(answers, [])
  t.is(code, 3)
  t.deepEqual(stdout.split('\n'), [
    'place         s3://backups/web',
    'versioning    enabled',
    'old versions  1 noncurrent (7 B), 0 delete markers',
    'open uploads  not known: s3://backups/web: its incomplete uploads: the keys have no permission for this',
    'rules         not known: s3://backups/web: its lifecycle rules: the keys have no permission for this',
    '',
  ])
  const json = await atServer(answers, ['--json'])
  t.is(json.code, 3)
  t.like(JSON.parse(json.stdout), { versioning: 'enabled', rules: null, uploads: null })
  t.is(JSON.parse(json.stdout).problems.length, 2)
  const applied = await atServer(answers, ['--apply', '--yes'])
  t.is(applied.code, 3)
  t.false(applied.questions.includes('PUT lifecycle'))
})

test('a vendor whose rules are of another form is not asked for them', async (t) => {
  const answers = { versioning: enabled, versions: noVersions, lifecycle: noRules }
  const shown = await atServer(answers, [], 'oracle')
  t.regex(shown.stdout, /^rules +not known: Oracle Cloud does not take S3's lifecycle rules \(https:/m)
  t.false(shown.questions.includes('lifecycle'))
  const applied = await atServer(answers, ['--apply', '--yes'], 'oracle')
  t.is(applied.code, 3)
  t.deepEqual(applied.questions, [])
})

test('what the server leaves out, changes or refuses is told', async (t) => {
  const configuration = (...rules: string[]) => ({
    body: `<LifecycleConfiguration>${rules.join('')}</LifecycleConfiguration>`,
  })
  const others =
    '<Rule><ID>o</ID><Status>Enabled</Status><Filter><Prefix>o/</Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule>'
  const set = { 'PUT lifecycle': {} }
  const after = (body: (sent: string) => string): BucketAnswers => {
    let sent: string | undefined
    return {
      lifecycle: () => (sent === undefined ? configuration(others) : configuration(body(sent))),
      'PUT lifecycle': (request) => {
        sent = request.body.replace(/^.*?<LifecycleConfiguration[^>]*>|<\/LifecycleConfiguration>$/g, '')
        return {}
      },
    }
  }
  const whole = await atServer(
    after((sent) => sent),
    ['--apply', '--yes'],
  )
  t.is(whole.code, 0, whole.stderr)
  t.false(whole.stdout.includes('left out'))

  const shortened = await atServer(
    after((sent) => sent.replace(/<AbortIncomplete.*<\/AbortIncomplete[^>]*>/, '')),
    ['--apply', '--yes'],
  )
  t.is(shortened.code, 0, shortened.stderr)
  t.regex(shortened.stdout, /^note: the server has left out: incomplete uploads are aborted after 7 days$/m)

  const lost = await atServer(
    after((sent) => sent.replace(others, '')),
    ['--apply', '--yes'],
  )
  t.is(lost.code, 3)
  t.regex(lost.stderr, /does not show the rules that were set; missing: "o", below o\//)

  let looks = 0
  const racing = { ...set, lifecycle: () => (looks++ === 0 ? noRules : configuration(others)) }
  const raced = await atServer(racing, ['--apply', '--yes'])
  t.is(raced.code, 3)
  t.regex(raced.stderr, /somebody else has changed the rules meanwhile: nothing is set, look again/)
  t.false(raced.questions.includes('PUT lifecycle'))

  const refused = await atServer({ lifecycle: noRules, 'PUT lifecycle': errorAnswer(400, 'MalformedXML') }, [
    '--apply',
    '--yes',
  ])
  t.is(refused.code, 3)
  t.regex(refused.stderr, /^jbfs: s3:\/\/backups\/web: setting its lifecycle rules: MalformedXML/)
})

test('a folder has no lifecycle, and days are whole numbers', async (t) => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'account'))
  const inFolder = await runJbfs(['destination', 'lifecycle', folder.path])
  t.is(inFolder.code, 2)
  t.is(inFolder.stderr, `jbfs: ${folder.path} is a folder: only S3 keeps versions and incomplete uploads\n`)
  for (const option of ['--noncurrent-days', '--upload-days']) {
    const { code, stderr } = await runJbfs(['destination', 'lifecycle', 's3://backups', option, '0'])
    t.is(code, 2)
    t.is(stderr, `jbfs: ${option} is a whole number, 1 or more\n`)
  }
})

import test from 'ava'
import { silentLogger } from '../../../src/base/log.ts'
import { Secret } from '../../../src/base/secret.ts'
import { openBucket } from '../../../src/destination/bucket.ts'
import { bucketFindings } from '../../../src/destination/diagnosis/bucket-findings.ts'
import {
  parseDestination,
  type S3Destination,
  storeDefaults,
} from '../../../src/destination/parse-destination.ts'
import { type BucketAnswers, startBucketServer } from '../../support/bucket-server.ts'

async function textsOf(answers: BucketAnswers): Promise<(string | undefined)[]> {
  await using server = await startBucketServer(answers)
  const credentials = { accessKey: new Secret('key'), secretKey: new Secret('secret') }
  const store = { ...storeDefaults, endpoint: server.endpoint, credentials }
  const destination = parseDestination('s3://bucket/web', store) as S3Destination
  using bucket = openBucket(destination, silentLogger)
  const findings = await Array.fromAsync(bucketFindings(bucket, destination, {}))
  return findings.map(({ state, text }) => `${state}: ${text}`)
}

function answersOf(status: string, rules: string): BucketAnswers {
  return {
    versioning: {
      body: `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`,
    },
    lifecycle: { body: `<LifecycleConfiguration>${rules}</LifecycleConfiguration>` },
  }
}

const oldVersions =
  '<NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays></NoncurrentVersionExpiration>'
const uploads =
  '<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload>'

function rule(prefix: string, actions: string): string {
  return `<Rule><ID>theirs</ID><Status>Enabled</Status><Filter><Prefix>${prefix}</Prefix></Filter>${actions}</Rule>`
}

test('a rule of others, for the whole bucket and after other days, removes old versions and uploads, too', async (t) => {
  t.deepEqual(await textsOf(answersOf('Enabled', rule('', oldVersions + uploads))), [
    'good: on: what is deleted or overwritten is kept, and takes room, until a rule removes it',
    'good: old versions and incomplete uploads are removed by rules',
  ])
})

test('what no rule removes is named', async (t) => {
  const [, elsewhere] = await textsOf(answersOf('Enabled', rule('mail/', oldVersions + uploads)))
  t.is(elsewhere, 'doubtful: no rule removes old versions and incomplete uploads')
  const [, half] = await textsOf(answersOf('Enabled', rule('web/', oldVersions)))
  t.is(half, 'doubtful: no rule removes incomplete uploads')
})

test('of a bucket that never kept versions none need to be removed', async (t) => {
  const never = '<VersioningConfiguration/>'
  const answers = (rules: string): BucketAnswers => ({ ...answersOf('', rules), versioning: { body: never } })
  t.deepEqual(await textsOf(answers(rule('mail/', uploads))), [
    'good: off: what is deleted is gone',
    'doubtful: no rule removes incomplete uploads',
  ])
  const [, removed] = await textsOf(answers(rule('', uploads)))
  t.is(removed, 'good: incomplete uploads are removed by rules')
})

test('versioning that is suspended has kept what it kept before', async (t) => {
  const [versioning] = await textsOf(answersOf('Suspended', rule('', oldVersions + uploads)))
  t.regex(versioning ?? '', /^good: suspended: what was kept before stays/)
})

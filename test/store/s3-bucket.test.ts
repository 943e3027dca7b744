import { hash } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { countUploads } from '../../src/destination/lifecycle/count-uploads.ts'
import { countVersions } from '../../src/destination/lifecycle/count-versions.ts'
import { type LifecycleRule, S3Bucket } from '../../src/store/s3-bucket.ts'
import { s3Defaults } from '../../src/store/s3-options.ts'
import { type BucketHistory, bucketHistory } from '../support/bucket-history.ts'
import { type BucketAnswers, errorAnswer, startBucketServer } from '../support/bucket-server.ts'
import { realS3Test } from '../support/real-s3-test.ts'
import { recordedKeys } from '../support/recording-server.ts'
import { startS3Server } from '../support/s3-server.ts'

const policy = { retries: 2, baseDelay: 1, largestDelay: 1 }

async function withAnswers(
  answers: BucketAnswers,
  body: (
    bucket: S3Bucket,
    requests: Awaited<ReturnType<typeof startBucketServer>>['requests'],
  ) => Promise<void>,
): Promise<void> {
  await using server = await startBucketServer(answers)
  using bucket = new S3Bucket(
    {
      ...s3Defaults,
      bucket: 'b',
      prefix: 'web/',
      endpoint: server.endpoint,
      region: 'us-east-1',
      addressing: 'path',
      credentials: recordedKeys,
    },
    { policy },
  )
  await body(bucket, server.requests)
}

function realTest(
  title: string,
  body: (t: ExecutionContext, bucket: S3Bucket, history: BucketHistory, name: string) => Promise<void>,
): void {
  realS3Test(test, title, async (t, name) => {
    await using server = await startS3Server(name)
    const place = await server.createBucket()
    using history = bucketHistory(server, place)
    const { endpoint, region, accessKeyId, secretAccessKey } = server
    using bucket = new S3Bucket(
      {
        ...s3Defaults,
        bucket: place,
        prefix: 'web/',
        endpoint,
        region,
        addressing: 'path',
        credentials: { accessKeyId, secretAccessKey },
      },
      { policy },
    )
    await body(t, bucket, history, name)
  })
}

realTest('versioning, versions and delete markers below a prefix', async (t, bucket, history) => {
  t.is(await bucket.versioning(), 'never')
  await history.setVersioning('Enabled')
  t.is(await bucket.versioning(), 'enabled')
  for (const key of ['web/a b', 'web/a b', 'web/ü+&', 'web/d', 'web/d', 'webx/c', 'webx/c'])
    await history.put(key)
  await history.delete('web/d')
  t.deepEqual(await countVersions(bucket, { prefix: 'web/' }), {
    noncurrentVersions: 3,
    noncurrentBytes: 15,
    deleteMarkers: 1,
  })
  await history.setVersioning('Suspended')
  t.is(await bucket.versioning(), 'suspended')
})

realTest('incomplete uploads below a prefix, with the bytes of their parts', async (t, bucket, history) => {
  t.deepEqual(await countUploads(bucket, { prefix: 'web/' }), { uploads: 0, bytes: 0, oldest: undefined })
  const before = Date.now() - 1000
  await history.beginUpload('web/a b', 1)
  await history.beginUpload('web/a b', 2)
  await history.beginUpload('webx/c', 1)
  const counts = await countUploads(bucket, { prefix: 'web/' })
  t.like(counts, { uploads: 2, bytes: 3 * 5 * 2 ** 20 })
  t.true(counts!.oldest! >= before && counts!.oldest! <= Date.now() + 1000)
})

const theirs: LifecycleRule = {
  ID: 'theirs',
  Status: 'Enabled',
  Filter: { And: { Prefix: 'logs/', Tags: [{ Key: 'a', Value: '<&>' }] } },
  Expiration: { Days: 3 },
}
const ours: LifecycleRule = {
  ID: 'ours',
  Status: 'Enabled',
  Filter: { Prefix: 'web/' },
  NoncurrentVersionExpiration: { NoncurrentDays: 30 },
}

realTest('lifecycle rules are set and read, or not known', async (t, bucket, _, name) => {
  const found = await bucket.lifecycle()
  if (name === 'versitygw') {
    t.is(found, undefined)
    t.false(await bucket.setLifecycle({ kept: [], added: [ours], transitionMinimum: undefined }))
    return
  }
  t.like(found, { rules: [] })
  t.true(await bucket.setLifecycle({ kept: [], added: [theirs], transitionMinimum: undefined }))
  const first = (await bucket.lifecycle())!.rules
  t.like(first, [{ rule: theirs }])
  await bucket.setLifecycle({ kept: first, added: [ours], transitionMinimum: undefined })
  const second = (await bucket.lifecycle())!.rules
  t.deepEqual(second[0], first[0])
  t.like(second[1], { rule: ours })
})

const configuration = (...rules: string[]): string =>
  `<?xml version="1.0"?><LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${rules.join('')}</LifecycleConfiguration>`
const strange =
  '<Rule><ID>$&amp;</ID><Status>Enabled</Status><Filter><Prefix>a/</Prefix></Filter><Own><Days>3</Days></Own></Rule>'

test('rules of others go back as they came, with what the SDK does not know', async (t) => {
  await withAnswers(
    {
      lifecycle: {
        headers: {
          server: 'Own/1',
          'x-amz-transition-default-minimum-object-size': 'varies_by_storage_class',
        },
        body: configuration(strange),
      },
      'PUT lifecycle': {},
    },
    async (bucket, requests) => {
      const found = (await bucket.lifecycle())!
      t.is(found.server, 'Own/1')
      t.like(found.rules, [{ rule: { ID: '$&' }, element: strange }])
      const { rules: kept, transitionMinimum } = found
      t.true(await bucket.setLifecycle({ kept, added: [ours], transitionMinimum }))
      const { body, headers } = requests.at(-1)!
      t.regex(body, /^(<\?xml[^>]*>)?<LifecycleConfiguration[^>]*><Rule><ID>\$&amp;/)
      t.true(body.includes(strange))
      t.is(body.match(/<Rule>/g)?.length, 2)
      t.is(headers['x-amz-transition-default-minimum-object-size'], 'varies_by_storage_class')
      t.is(headers['content-md5'], hash('md5', body, 'base64'))
      t.is(headers['content-length'], String(Buffer.byteLength(body)))
      t.deepEqual(
        Object.keys(headers).filter((header) => header.includes('checksum')),
        [],
      )
    },
  )
})

test('rules in a form that is not understood are an error, as a put would lose them', async (t) => {
  for (const body of [
    '<x:LifecycleConfiguration xmlns:x="a"><x:Rule><x:ID>1</x:ID></x:Rule></x:LifecycleConfiguration>',
    configuration('<Rule/>'),
    `<Other>${configuration(strange)}</Other>`,
  ])
    await withAnswers({ lifecycle: { body } }, async (bucket) => {
      await t.throwsAsync(bucket.lifecycle(), { code: 'invalid', message: /in an unusual way$/ }, body)
    })
})

test('what the server does not know, has not, or refuses', async (t) => {
  await withAnswers(
    {
      versioning: errorAnswer(405, 'MethodNotAllowed'),
      lifecycle: errorAnswer(404, 'NoSuchLifecycleConfiguration'),
      uploads: errorAnswer(403, 'AccessDenied'),
      uploadId: errorAnswer(404, 'NoSuchUpload'),
    },
    async (bucket) => {
      t.is(await bucket.versioning(), undefined)
      t.is(await bucket.versions({ prefix: '' }), undefined)
      t.deepEqual(await bucket.lifecycle(), { rules: [], transitionMinimum: undefined, server: '' })
      t.is(await bucket.uploadedBytes({ key: 'a', id: 'u', initiated: 0 }), undefined)
      await t.throwsAsync(bucket.uploads({ prefix: '' }), {
        code: 'access-denied',
        message: 's3://b/web: its incomplete uploads: the keys have no permission for this',
      })
    },
  )
})

test('what fails is tried again, as often as is said', async (t) => {
  let left = 2
  const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
  const failing = { versioning: () => (left-- > 0 ? errorAnswer(503, 'SlowDown') : { body }) }
  await withAnswers(failing, async (bucket, requests) => {
    t.is(await bucket.versioning(), 'enabled')
    t.is(requests.length, 3)
    left = 3
    await t.throwsAsync(bucket.versioning(), { code: 'unavailable' })
  })
})

test('listings go on behind their markers, also encoded ones, and end when a server goes in circles', async (t) => {
  const page = (next: string): string =>
    `<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>${next}</ListVersionsResult>`
  const next = '<NextKeyMarker>a+b%2B%26</NextKeyMarker><NextVersionIdMarker>7</NextVersionIdMarker>'
  await withAnswers({ versions: { body: page(next) } }, async (bucket, requests) => {
    const first = await bucket.versions({ prefix: 'web/' })
    t.deepEqual(first!.next, { key: 'a b+&', id: '7' })
    await t.throwsAsync(bucket.versions({ prefix: 'web/', after: first!.next }), {
      code: 'invalid',
      message: /does not say how a listing goes on$/,
    })
    const { query } = requests[1]!
    t.deepEqual(
      ['prefix', 'key-marker', 'version-id-marker', 'encoding-type'].map((name) => query.get(name)),
      ['web/', 'a b+&', '7', 'url'],
    )
  })
  await withAnswers({ versions: { body: page('') } }, async (bucket) => {
    await t.throwsAsync(bucket.versions({ prefix: '' }), { code: 'invalid' })
  })
})

test('the parts of an upload are listed page by page', async (t) => {
  const part = '<Part><Size>5</Size></Part>'
  const answer = ({ query }: { query: URLSearchParams }) => ({
    body: query.has('part-number-marker')
      ? `<ListPartsResult><IsTruncated>false</IsTruncated>${part}</ListPartsResult>`
      : `<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>${part}${part}</ListPartsResult>`,
  })
  await withAnswers({ uploadId: answer }, async (bucket) => {
    t.is(await bucket.uploadedBytes({ key: 'a b', id: 'u', initiated: 0 }), 15)
  })
})

test('an abort ends what is asked, with its reason', async (t) => {
  await withAnswers({ versioning: {} }, async (bucket) => {
    const reason = new Error('enough')
    await t.throwsAsync(bucket.versioning({ signal: AbortSignal.abort(reason) }), { is: reason })
  })
})

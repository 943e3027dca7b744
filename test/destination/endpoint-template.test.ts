import test from 'ava'
import { fillEndpoint } from '../../src/destination/endpoint-template.ts'
import { DestinationError } from '../../src/destination/errors.ts'

const values = { region: 'eu-central-1', bucket: 'backups' }

const filled: readonly [template: string, url: string, holdsBucket: boolean][] = [
  ['https://s3.{region}.example.com', 'https://s3.eu-central-1.example.com', false],
  ['https://s3.example.com', 'https://s3.example.com', false],
  ['s3.{region}.example.com', 'https://s3.eu-central-1.example.com', false],
  ['minio:9000', 'https://minio:9000', false],
  ['HTTP://Minio:9000/', 'http://minio:9000', false],
  [' https://s3.example.com ', 'https://s3.example.com', false],
  ['https://[::1]:9000', 'https://[::1]:9000', false],
  ['https://{bucket}.s3.{region}.example.com', 'https://backups.s3.eu-central-1.example.com', true],
  ['https://{bucket}-{region}.example.com/', 'https://backups-eu-central-1.example.com', true],
  ['{bucket}.example.com:8443', 'https://backups.example.com:8443', true],
  ['https://example.com/{bucket}', 'https://example.com/backups', true],
  ['https://example.com/v1/{region}/{bucket}/', 'https://example.com/v1/eu-central-1/backups', true],
]

for (const [template, url, holdsBucket] of filled)
  test(`${JSON.stringify(template)} becomes ${url}${holdsBucket ? ', with the bucket' : ''}`, (t) => {
    t.deepEqual(fillEndpoint(template, values), { url, holdsBucket })
  })

const say = 'say https://host, with a port and a path if need be, and {region} and {bucket} where they belong'

const refused: readonly [template: string, message: string][] = [
  ['', `"" is no endpoint: ${say}`],
  ['ftp://example.com', `"ftp://example.com" is no endpoint: ${say}`],
  ['https://', `"https://" is no endpoint: ${say}`],
  ['https://example.com:port', `"https://example.com:port" is no endpoint: ${say}`],
  [
    'https://example.com/?list-type=2',
    `"https://example.com/?list-type=2" is no endpoint, which ends with its path: ${say}`,
  ],
  ['https://example.com/#top', `"https://example.com/#top" is no endpoint, which ends with its path: ${say}`],
  ['https://exa mple.com', `"https://exa mple.com" is no endpoint, which ends with its path: ${say}`],
  ['https://AKIA1:geheim@example.com', `keys do not belong in an endpoint: ${say}`],
  ['AKIA1:geheim@example.com?x={y}', `keys do not belong in an endpoint: ${say}`],
  ['https://s3.{regoin}.example.com', 'an endpoint may leave open {region} and {bucket}, not "{regoin}"'],
  ['https://s3.{Region}.example.com', 'an endpoint may leave open {region} and {bucket}, not "{Region}"'],
  ['https://s3.{}.example.com', 'an endpoint may leave open {region} and {bucket}, not "{}"'],
  [
    'https://s3.{region.example.com',
    'an endpoint may leave open {region} and {bucket}, not "{region.example.com"',
  ],
  ['https://s3.region}.example.com', 'an endpoint may leave open {region} and {bucket}, not "}"'],
  [
    'https://{bucket}.example.com/{bucket}',
    'an endpoint names {bucket} once: in the host name or in the path',
  ],
]

for (const [template, message] of refused)
  test(`${JSON.stringify(template)} is refused`, (t) => {
    t.throws(() => fillEndpoint(template, values), {
      instanceOf: DestinationError,
      code: 'bad-destination',
      message,
    })
  })

const parts: readonly [template: string, part: Partial<typeof values>, message: string][] = [
  ['https://{region}.example.com', { region: 'evil.com/' }, 'the region "evil.com/"'],
  ['https://{region}.example.com', { region: '' }, 'the region ""'],
  ['https://{bucket}.example.com', { bucket: 'My_Bucket' }, 'the bucket "My_Bucket"'],
  ['https://example.com/{bucket}', { bucket: '..' }, 'the bucket ".."'],
  ['https://example.com/{bucket}', { bucket: 'a/b?c' }, 'the bucket "a/b?c"'],
]

for (const [template, part, message] of parts)
  test(`${message} is not filled in in ${template}`, (t) => {
    const error = t.throws(() => fillEndpoint(template, { ...values, ...part }), { code: 'bad-destination' })
    t.true(error.message.startsWith(`${message} cannot stand in this endpoint: it has only `), error.message)
  })

test('a path takes more of a bucket than a host name', (t) => {
  const { url } = fillEndpoint('https://example.com/{bucket}', { ...values, bucket: 'My_Bucket' })
  t.is(url, 'https://example.com/My_Bucket')
})

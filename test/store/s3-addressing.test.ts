import test from 'ava'
import { objectKey } from '../../src/store/object-store.ts'
import { s3Defaults } from '../../src/store/s3-options.ts'
import { S3Store } from '../../src/store/s3-store.ts'
import { askForAll, linesOfAll, recordedKeys, startRecordingServer } from '../support/recording-server.ts'

const bucket = 'backups'
const region = 'eu-central-1'

const places = [
  { addressing: 'path', endpoint: 'https://s3.example.com', host: 's3.example.com', base: '/backups/' },
  { addressing: 'path', endpoint: 'https://s3.example.com/v1', host: 's3.example.com', base: '/v1/backups/' },
  { addressing: 'virtual', endpoint: 'https://s3.example.com', host: 'backups.s3.example.com', base: '/' },
  {
    addressing: 'endpoint',
    endpoint: 'https://backups.s3.example.com',
    host: 'backups.s3.example.com',
    base: '/',
  },
  {
    addressing: 'endpoint',
    endpoint: 'https://s3.example.com/v1/backups',
    host: 's3.example.com',
    base: '/v1/backups/',
  },
] as const

for (const { addressing, endpoint, host, base } of places)
  test(`${endpoint} with the bucket by ${addressing} is asked at ${host}${base}`, async (t) => {
    await using server = await startRecordingServer(['s3.example.com', '*.s3.example.com'])
    const requests = await askForAll(server, { bucket, endpoint, region, addressing })
    t.deepEqual(
      requests.map(({ method, path }) => `${method} ${path}`),
      linesOfAll(base),
    )
    for (const { servername, headers } of requests) {
      t.is(headers.host, host)
      t.is(servername, host)
    }
  })

test('wherever connections go, the certificate must be for the name in the URL', async (t) => {
  await using server = await startRecordingServer(['s3.example.org'])
  using store = new S3Store({
    ...s3Defaults,
    bucket,
    prefix: '',
    endpoint: 'https://s3.example.com',
    region,
    addressing: 'path',
    credentials: recordedKeys,
    caFile: server.certificate,
    connectTo: server,
  })
  await t.throwsAsync(store.get(objectKey('lean')), { code: 'tls', message: /for another host name/ })
  await t.throwsAsync(store.head(objectKey('ordinary')), { code: 'tls', message: /for another host name/ })
  t.deepEqual(server.take(), [])
})

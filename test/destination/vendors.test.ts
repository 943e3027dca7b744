import { S3Client } from '@aws-sdk/client-s3'
import test from 'ava'
import { fillEndpoint } from '../../src/destination/endpoint-template.ts'
import { endpointTemplate, type Vendor, type VendorId, vendors } from '../../src/destination/vendors.ts'
import { hostOf, routeOf } from '../../src/store/s3-route.ts'
import {
  askForAll,
  linesOfAll,
  type RecordedRequest,
  recordedKeys,
  startRecordingServer,
} from '../support/recording-server.ts'

/** What the machine's own settings say is not what is tested. */
for (const name of ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_PROFILE']) delete process.env[name]
process.env.AWS_CONFIG_FILE = '/dev/null'

const bucket = 'backups'

interface Expected {
  readonly region: string
  /** Of requests in path style; in virtual style, the bucket and a dot stand before it. */
  readonly host: string
  /** Where the user gives it. */
  readonly endpoint?: string
}

const expected: Readonly<Record<VendorId, readonly Expected[]>> = {
  amazon: [
    { region: 'us-east-1', host: 's3.us-east-1.amazonaws.com' },
    { region: 'cn-north-1', host: 's3.cn-north-1.amazonaws.com.cn' },
    { region: 'eusc-de-east-1', host: 's3.eusc-de-east-1.amazonaws.eu' },
  ],
  digitalocean: [{ region: 'fra1', host: 'fra1.digitaloceanspaces.com' }],
  wasabi: [{ region: 'us-east-1', host: 's3.us-east-1.wasabisys.com' }],
  linode: [{ region: 'nl-ams-1', host: 'nl-ams-1.linodeobjects.com' }],
  backblaze: [{ region: 'eu-central-003', host: 's3.eu-central-003.backblazeb2.com' }],
  scaleway: [{ region: 'fr-par', host: 's3.fr-par.scw.cloud' }],
  ibm: [{ region: 'eu-de', host: 's3.eu-de.cloud-object-storage.appdomain.cloud' }],
  google: [{ region: 'auto', host: 'storage.googleapis.com' }],
  oracle: [
    {
      region: 'eu-frankfurt-1',
      host: 'axabc.compat.objectstorage.eu-frankfurt-1.oci.customer-oci.com',
      endpoint: 'https://axabc.compat.objectstorage.{region}.oci.customer-oci.com',
    },
  ],
  jetbackup: [{ region: 'eu-central-2', host: 'eu-central-2.storage.jetbackup.com' }],
  minio: [{ region: 'us-east-1', host: 'minio.example.com', endpoint: 'minio.example.com' }],
  custom: [{ region: 'north', host: 's3.north.example.com', endpoint: 'https://s3.{region}.example.com' }],
}

for (const vendor of vendors)
  for (const { region, host, endpoint } of expected[vendor.id])
    for (const addressing of ['path', 'virtual'] as const)
      test(`${vendor.title}, ${region}, ${addressing} style: requests go to the right place, and are signed for it`, async (t) => {
        const name = addressing === 'path' ? host : `${bucket}.${host}`
        await using server = await startRecordingServer([name])
        const filled = fillEndpoint(endpoint ?? templateOf(vendor, region), { region, bucket })
        t.deepEqual(filled, { url: `https://${host}`, holdsBucket: false })
        const requests = await askForAll(server, { bucket, endpoint: filled.url, region, addressing })
        const base = addressing === 'path' ? `/${bucket}/` : '/'
        t.deepEqual(
          requests.map(({ method, path }) => `${method} ${path}`),
          linesOfAll(base),
        )
        for (const request of requests) {
          t.deepEqual([request.headers.host, request.servername], [name, name])
          t.deepEqual(signatureOf(request), { region, signsHost: true })
          t.deepEqual(checksumsOf(request), [])
        }
      })

const withBucket: readonly [endpoint: string, host: string, base: string][] = [
  ['https://{bucket}.{region}.example.com', 'backups.north.example.com', '/'],
  // Oracle's virtual style.
  [
    'https://{bucket}.vhcompat.objectstorage.{region}.oci.customer-oci.com',
    'backups.vhcompat.objectstorage.north.oci.customer-oci.com',
    '/',
  ],
  ['https://{region}.example.com/{bucket}', 'north.example.com', '/backups/'],
]

for (const [endpoint, host, base] of withBucket)
  test(`${endpoint} gets no second bucket`, async (t) => {
    await using server = await startRecordingServer([host])
    const { url, holdsBucket } = fillEndpoint(endpoint, { region: 'north', bucket })
    t.true(holdsBucket)
    const place = { bucket, endpoint: url, region: 'north', addressing: 'endpoint' } as const
    const requests = await askForAll(server, place)
    t.deepEqual(
      requests.map(({ method, path }) => `${method} ${path}`),
      linesOfAll(base),
    )
    for (const request of requests) {
      t.deepEqual([request.headers.host, request.servername], [host, host])
      t.deepEqual(signatureOf(request), { region: 'north', signsHost: true })
    }
  })

test("Amazon's endpoints are those that its own SDK makes of the regions", async (t) => {
  const amazon = vendors.find(({ id }) => id === 'amazon') as Vendor
  for (const region of amazon.regions ?? []) {
    const client = new S3Client({ region, forcePathStyle: true, credentials: recordedKeys })
    const route = await routeOf(client, bucket)
    client.destroy()
    const { url } = fillEndpoint(templateOf(amazon, region), { region, bucket })
    t.is(url, `https://${hostOf(route)}`)
  }
})

test('each row is whole', (t) => {
  const ids = vendors.map(({ id }) => id)
  t.is(new Set(ids).size, vendors.length)
  for (const vendor of vendors) {
    const { id, endpoint, endpointAdvice, regions, regionalEndpoints = {}, defaultRegion } = vendor
    t.is(endpoint === undefined, endpointAdvice !== undefined, id)
    t.is(new Set(regions).size, regions?.length ?? 0, id)
    if (defaultRegion !== undefined && regions !== undefined) t.true(regions.includes(defaultRegion), id)
    for (const region of Object.keys(regionalEndpoints)) t.true(regions?.includes(region), region)
    for (const region of endpoint === undefined ? [] : (regions ?? []))
      t.true(URL.canParse(fillEndpoint(templateOf(vendor, region), { region, bucket }).url), region)
    const sources = Object.values(vendor.capabilities).flatMap((capability) =>
      capability.supported === 'unknown' ? [] : [capability.source],
    )
    for (const source of [...sources, vendor.source ?? 'https://none']) t.regex(source, /^https:\/\/\S+$/, id)
  }
})

function templateOf(vendor: Vendor, region: string): string {
  const template = endpointTemplate(vendor, region)
  if (template === undefined) throw new Error(`${vendor.id} has no endpoint of its own`)
  return template
}

function signatureOf({ headers }: RecordedRequest): { region: string | undefined; signsHost: boolean } {
  const [, region, names] =
    /^AWS4-HMAC-SHA256 Credential=key\/\d{8}\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=[0-9a-f]{64}$/.exec(
      headers.authorization ?? '',
    ) ?? []
  return { region, signsHost: names?.split(';').includes('host') === true }
}

/** What servers that know only older S3 refuse. */
function checksumsOf({ headers }: RecordedRequest): string[] {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .filter((line) => /^x-amz-(sdk-)?checksum|^x-amz-trailer|aws-chunked|STREAMING-/.test(line))
}

import test from 'ava'
import { adviceFor } from '../../../src/destination/diagnosis/advice.ts'
import { type S3Destination, storeDefaults } from '../../../src/destination/parse-destination.ts'
import { StoreError, type StoreErrorCode, type StoreFault } from '../../../src/store/errors.ts'

const typed: S3Destination = { kind: 's3', bucket: 'b-7', prefix: 'web', store: storeDefaults }
const named = {
  name: 'offsite',
  vendor: 'minio',
  owner: 'o',
  readOnly: false,
  backupDirectory: 'web',
} as const

function said(destination: S3Destination, code: StoreErrorCode, fault?: StoreFault, region?: string): string {
  return adviceFor(destination)(new StoreError(code, 'x', { fault, region }))
}

test('a destination that has a name is put right in its settings', (t) => {
  const offsite = { ...typed, named }
  const see = '; see jbfs destination test offsite'
  for (const [code, fault, advice] of [
    ['access-denied', 'no-keys', ': jbfs destination edit offsite --keys-from-stdin'],
    ['access-denied', 'wrong-secret', /jbfs destination edit offsite --keys-from-stdin/],
    ['access-denied', 'no-permission', ''],
    ['no-bucket', undefined, /jbfs destination edit offsite --bucket/],
    ['unavailable', 'no-host', /jbfs destination edit offsite --endpoint/],
    ['tls', 'untrusted', /jbfs destination edit offsite --ca-file/],
    ['timeout', undefined, ''],
  ] as const) {
    const text = said(offsite, code, fault)
    t.true(text.endsWith(see), text)
    t.notRegex(text, /AWS_/)
    if (typeof advice === 'string') t.is(text, advice + see)
    else t.regex(text, advice)
  }
  t.is(said(offsite, 'invalid', 'region', 'eu-1'), `: jbfs destination edit offsite --region eu-1${see}`)
  t.is(said(offsite, 'changed'), '')
})

test('keys in a file of their own are put right there', (t) => {
  const text = said(
    { ...typed, named: { ...named, keysFile: '/root/old.keys' } },
    'access-denied',
    'unknown-key',
  )
  t.regex(text, /correct them in \/root\/old\.keys;/)
  t.notRegex(text, /--keys-from-stdin/)
})

test('without a name the variables of the AWS tools and the options are right', (t) => {
  t.is(said(typed, 'access-denied', 'no-keys'), ': set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
  t.regex(said(typed, 'tls', 'untrusted'), /: --ca-file FILE\.pem$/)
  t.is(said(typed, 'access-denied', 'no-permission'), '')
})

import test from 'ava'
import {
  parseDestination,
  type S3Destination,
  storeDefaults,
} from '../../src/destination/parse-destination.ts'
import { takeoverCommandLine } from '../../src/destination/takeover-command-line.ts'

test('a command that can be copied says how to reach the place', (t) => {
  const store = { ...storeDefaults, endpoint: 'https://s3.example:9000', region: 'here', verifySsl: false }
  t.is(
    takeoverCommandLine(parseDestination('s3://bucket/web', store)),
    'jbfs destination takeover s3://bucket/web --endpoint=https://s3.example:9000 --region=here --no-verify-ssl',
  )
  t.is(takeoverCommandLine(parseDestination('/srv/my web', store)), "jbfs destination takeover '/srv/my web'")
})

test('what has a name is named by it, as its settings have the rest', (t) => {
  const place = parseDestination('s3://bucket/web', { ...storeDefaults, region: 'here' }) as S3Destination
  const named = { name: 'offsite', vendor: 'custom', owner: 'web1', readOnly: false } as const
  const destination = { ...place, named: { ...named, backupDirectory: 'web' } }
  t.is(takeoverCommandLine(destination), 'jbfs destination takeover offsite')
  t.is(takeoverCommandLine({ ...destination, prefix: 'web/a' }), 'jbfs destination takeover offsite/a')
})

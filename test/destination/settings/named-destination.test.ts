import test from 'ava'
import { formatDestination, parseDestination } from '../../../src/destination/parse-destination.ts'
import { namedDestination, nameIn } from '../../../src/destination/settings/named-destination.ts'
import { splitRepository } from '../../../src/destination/split-repository.ts'
import { parsed } from './settings.ts'

const [offsite] = parsed(`
  [offsite]
  vendor = "amazon"
  bucket = "backups-7"
  backup_directory = "/web/servers"
`).destinations
const [whole] = parsed('[whole]\nvendor = "amazon"\nbucket = "b-7"\nbackup_directory = "/"\n').destinations
const options = { overrides: {}, ownUid: 0 }

test('what can begin with a name', (t) => {
  t.is(nameIn('offsite'), 'offsite')
  t.is(nameIn('offsite/account/snap.3'), 'offsite')
  for (const text of ['', '/offsite', './offsite', '../x', 's3://bucket', 'file:///x', 'a.b', '-x', 'a b'])
    t.is(nameIn(text), undefined, text)
})

test('a name stands for a bucket and a backup directory; what follows lies below', (t) => {
  t.like(namedDestination('offsite', offsite!, options), { bucket: 'backups-7', prefix: 'web/servers' })
  t.like(namedDestination('offsite//a/b/', offsite!, options), { prefix: 'web/servers/a/b' })
  t.like(namedDestination('whole/a', whole!, options), { prefix: 'a' })
  t.throws(() => namedDestination('offsite/../x', offsite!, options), {
    code: 'bad-destination',
    message: '"offsite/../x" has . or .. in its path: say what lies below offsite',
  })
})

test('what is said for one command wins', (t) => {
  const overrides = { httpRetries: 9, maxConcurrency: 2 }
  t.like(namedDestination('offsite', offsite!, { ...options, overrides }).store, {
    httpRetries: 9,
    maxConcurrency: 2,
    region: 'us-east-1',
  })
})

test('it is shown by its name, and split below its backup directory', (t) => {
  for (const [text, repository, number] of [
    ['offsite/account/snap.3', 'account/', 3],
    ['offsite/job/account', 'job/account/', undefined],
    ['offsite/snap.1', '', 1],
    ['offsite', '', undefined],
  ] as const) {
    const destination = namedDestination(text, offsite!, options)
    t.is(formatDestination(destination), text)
    t.like(splitRepository(destination), { destination: { prefix: 'web/servers' }, repository, number })
  }
  const { destination, repository } = splitRepository(namedDestination('whole/account', whole!, options))
  t.like(destination, { prefix: '' })
  t.is(repository, 'account/')
})

test('a word that is no name tells which there are', (t) => {
  const accepted = 'a destination is a folder (/path, ./path, file:///path) or s3://bucket/path'
  t.throws(() => parseDestination('ofsite', undefined, ['offsite', 'local']), {
    message: `there is no folder "ofsite" here (did you mean offsite?); ${accepted}, or one of the settings: offsite, local`,
  })
  t.throws(() => parseDestination('ofsite/account', undefined, ['offsite']), {
    message: `there is no folder "ofsite" here (did you mean offsite?); ${accepted}, or one of the settings: offsite`,
  })
  t.notThrows(() => parseDestination('./ofsite/account', undefined, ['offsite']))
})

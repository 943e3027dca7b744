import test from 'ava'
import type { Owner } from '../../src/destination/owner-record.ts'
import { type Destination, parseDestination } from '../../src/destination/parse-destination.ts'
import { ownedError } from '../../src/destination/refusals.ts'
import { refuseReadOnly } from '../../src/destination/refuse-read-only.ts'

const self: Owner = { id: 'this one', host: 'vm', name: 'vm' }
const refused = { owner: self, description: '/srv/web', takeover: 'jbfs destination takeover /srv/web' }

function refusal(other: Owner): string {
  const record = { owner: other, token: 1, lease: undefined }
  return ownedError({ record, etag: '', age: 600 }, refused).message
}

test('another server of the same name is said to be one, and what to do when it is not', (t) => {
  for (const other of [
    { id: 'another', host: 'vm', name: 'vm' },
    { id: 'another', host: 'old', name: 'vm' },
    { id: 'another', host: 'vm', name: 'offsite' },
  ]) {
    const message = refusal(other)
    t.regex(message, /^\/srv\/web belongs to .*ANOTHER server of the same name.*last heard of 10 min ago: /)
    t.regex(
      message,
      /`server-id` .*state folder.*--state-dir; else .*: jbfs destination takeover \/srv\/web$/,
    )
  }
})

test('a server of another name is only named', (t) => {
  t.is(
    refusal({ id: 'another', host: 'web2', name: 'web2' }),
    '/srv/web belongs to web2, last heard of 10 min ago: mount it with --read-only, or take it over for good: jbfs destination takeover /srv/web',
  )
})

test('what makes a destination one for reading is told by the field that is in its settings', (t) => {
  const named = { name: 'offsite', readOnly: true }
  const refuse = (fields: object): void =>
    refuseReadOnly({
      ...parseDestination('/backups'),
      named: { ...named, ...fields },
    } as unknown as Destination)
  t.throws(() => refuse({}), { message: /read_only = true/ })
  t.throws(() => refuse({ indexMapping: { file: '/etc/mapping.toml', table: undefined } }), {
    message: /have an index_mapping/,
  })
})

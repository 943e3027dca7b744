import test from 'ava'
import { addTable, editTable, removeTable } from '../../../src/destination/settings/edit-text.ts'

const text = `# Backups of the web servers.
# Ask ann before changing anything.

[offsite]   # the first
vendor = "amazon"
bucket = "b-7"  # made in 2024
# Never change this:
backup_directory = '/web' # as on the server

# For tests.
[local]
vendor = "minio"
endpoint = "http://[::1]:9000"
bucket = "b"
`

test('a table is added at the end', (t) => {
  t.is(addTable('', 'new', { bucket: 'b', vendor: 'amazon' }), '[new]\nvendor = "amazon"\nbucket = "b"\n')
  const fields = { vendor: 'amazon', read_only: true, http_retries: 0, owner: 'a "b" \\ ü' }
  t.is(
    addTable(text, 'new', fields),
    `${text}\n[new]\nvendor = "amazon"\nread_only = true\nowner = "a \\"b\\" \\\\ ü"\nhttp_retries = 0\n`,
  )
  t.is(addTable('[a]\nbucket = "x"', 'b', { bucket: 'y' }), '[a]\nbucket = "x"\n\n[b]\nbucket = "y"\n')
})

test('a field is changed, added and taken out where it stands; comments stay', (t) => {
  t.is(
    editTable(text, 'offsite', {
      bucket: 'b-8',
      backup_directory: '/web/2',
      read_only: true,
      vendor: undefined,
    }),
    text
      .replace('vendor = "amazon"\n', '')
      .replace('"b-7"', '"b-8"')
      .replace(`'/web'`, '"/web/2"')
      .replace('as on the server\n', 'as on the server\nread_only = true\n'),
  )
  t.is(
    editTable(text, 'local', { endpoint: 'http://[::1]:9001', max_concurrency: 8 }),
    `${text.replace(':9000', ':9001')}max_concurrency = 8\n`,
  )
  t.is(editTable(text, 'local', { ca_file: undefined }), text)
})

test('a table is removed with what stands in it, and nothing else', (t) => {
  const [head = '', , , last = ''] = text
    .split(/(?=\[offsite\])|(?=# For tests)/)
    .flatMap((part, index) => (index === 1 ? [part, ''] : [part]))
  t.is(removeTable(text, 'offsite'), head + last)
  t.is(removeTable(text, 'local'), text.slice(0, text.indexOf('[local]')))
})

test('what is written in another way than usual is refused', (t) => {
  const refused = {
    code: 'bad-settings',
    message: '[offsite] is written in a way that only a person can edit: change it by hand',
  }
  for (const unusual of [
    'offsite = { vendor = "amazon", bucket = "b" }\n',
    'offsite.vendor = "amazon"\noffsite.bucket = "b"\n',
    '[offsite]\nowner = """\nbucket = "x"\n"""\nbucket = "b"\n',
    '[offsite]\n"buck\\u0065t" = "b"\n',
    '[offsite]\nowner = """\n[offsite2]\n"""\nbucket = "b"\n',
  ]) {
    t.throws(() => editTable(unusual, 'offsite', { bucket: 'c' }), refused, unusual)
  }
  t.throws(() => removeTable('[offsite]\nowner = """\n[x]\n"""\n', 'offsite'), refused)
  t.is(editTable(`["offsite"]\n'bucket' = "b"\n`, 'offsite', { bucket: 'c' }), `["offsite"]\nbucket = "c"\n`)
})

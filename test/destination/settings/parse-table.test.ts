import test from 'ava'
import { complaints, file, parsed, randomKey, reader } from './settings.ts'

test('a destination is completed by its vendor and by defaults', (t) => {
  const { destinations, lines } = parsed(`
    [offsite]
    vendor = "amazon"
    bucket = "backups-7"
    region = "eu-central-1"
    backup_directory = "//web/servers/"
  `)
  t.deepEqual(lines, [])
  t.like(destinations[0], {
    name: 'offsite',
    file,
    vendor: { id: 'amazon' },
    bucket: 'backups-7',
    backupDirectory: 'web/servers',
    readOnly: false,
    owner: reader.hostName,
    keysFile: undefined,
    indexMapping: undefined,
    store: {
      endpoint: 'https://s3.eu-central-1.amazonaws.com',
      region: 'eu-central-1',
      addressing: 'virtual',
      credentials: undefined,
      verifySsl: true,
      httpRetries: 3,
      maxConcurrency: 64,
    },
  })
})

test('every field is taken over', (t) => {
  const [access, secret, token] = [randomKey(), randomKey(), randomKey()]
  const { destinations, lines } = parsed(`
    [offsite]
    vendor = "custom"
    endpoint = "s3.{region}.example.com:9000/base"
    bucket = "b.7"
    region = "here"
    backup_directory = "/"
    read_only = true
    owner = "Web server 7"
    access_key = "${access}"
    secret_key = "${secret}"
    session_token = "${token}"
    verify_ssl = false
    ca_file = "ca.pem"
    http_retries = 0
    max_concurrency = 1
    addressing = "virtual"
    [in-host]
    vendor = "custom"
    endpoint = "https://{bucket}.{region}.example.com"
    bucket = "b7"
    backup_directory = "/"
    keys_file = "/root/keys"
  `)
  t.deepEqual(lines, [])
  t.like(destinations[0], {
    backupDirectory: '',
    readOnly: true,
    owner: 'Web server 7',
    store: {
      endpoint: 'https://s3.here.example.com:9000/base',
      region: 'here',
      addressing: 'virtual',
      caFile: '/etc/jbfs/ca.pem',
      verifySsl: false,
      httpRetries: 0,
      maxConcurrency: 1,
    },
  })
  const { credentials } = destinations[0]!.store
  t.deepEqual(
    [credentials?.accessKey, credentials?.secretKey, credentials?.sessionToken].map((key) => key?.reveal()),
    [access, secret, token],
  )
  t.like(destinations[1], {
    keysFile: '/root/keys',
    store: { endpoint: 'https://b7.us-east-1.example.com', addressing: 'endpoint' },
  })
})

const vendorIds =
  'amazon, digitalocean, wasabi, linode, backblaze, scaleway, ibm, google, oracle, jetbackup, minio, custom'
const jetbackupRegions = 'eu-central-2, eu-west-1, eu-west-2, eu-east-1, eu-north-1, us-east-1'

/** Each wrong field, and all that is said about it. */
const wrong: [string, string][] = [
  ['vendor = "amzon"', `vendor is "amzon" (did you mean amazon?): it must be one of ${vendorIds}`],
  ['vendor = 7', `vendor is 7: it must be one of ${vendorIds}`],
  [
    'bucket = "b/c"',
    'bucket is "b/c": it must be a name of A-Z a-z 0-9 . _ -, with a letter or digit first and 2 characters or more',
  ],
  [
    'backup_directory = "web"',
    'backup_directory is "web": it must be a path that starts with / and has only A-Z a-z 0-9 /',
  ],
  [
    'backup_directory = "/web-1"',
    'backup_directory is "/web-1": it must be a path that starts with / and has only A-Z a-z 0-9 /',
  ],
  [
    'backup_directory = "/web/../x"',
    'backup_directory is "/web/../x": it must be a path that starts with / and has only A-Z a-z 0-9 /',
  ],
  ['read_only = "yes"', 'read_only is "yes": it must be true or false'],
  ['verify_ssl = 0', 'verify_ssl is 0: it must be true or false'],
  ['owner = ""', 'owner is "": it must be a name of 1 to 100 characters on one line'],
  ['owner = "a\\nb"', 'owner is "a\\nb": it must be a name of 1 to 100 characters on one line'],
  ['http_retries = -1', 'http_retries is -1: it must be a whole number from 0 to 100'],
  ['http_retries = 1.5', 'http_retries is 1.5: it must be a whole number from 0 to 100'],
  ['http_retries = "3"', 'http_retries is "3": it must be a whole number from 0 to 100'],
  ['max_concurrency = 0', 'max_concurrency is 0: it must be a whole number from 1 to 1024'],
  ['max_concurrency = [1]', 'max_concurrency is a list: it must be a whole number from 1 to 1024'],
  ['ca_file = ""', 'ca_file is "": it must be a path'],
  [
    'addressing = "vitual"',
    'addressing is "vitual" (did you mean virtual?): it must be one of path, virtual',
  ],
  [
    'vendor = "jetbackup"\nregion = "eu-wst-1"',
    `region is "eu-wst-1" (did you mean eu-west-1?): for JetBackup Storage it must be one of ${jetbackupRegions}`,
  ],
  ['vendor = "jetbackup"', `region is missing: for JetBackup Storage it must be one of ${jetbackupRegions}`],
  [
    'vendor = "google"\nregion = "here and there"',
    'region is "here and there": it must be a name of A-Z a-z 0-9 . _ -',
  ],
  [
    'endpoint = "https://s3.example.com"',
    'endpoint is not for Amazon S3, whose own is made of the region: leave it out, or say vendor = "custom"',
  ],
  [
    'vendor = "minio"',
    "endpoint is missing: for MinIO it must be the server's own: https://minio.example.com:9000",
  ],
  [
    'vendor = "minio"\nendpoint = "ftp://x"',
    'endpoint is wrong: "ftp://x" is no endpoint: say https://host, with a port and a path if need be, and {region} and {bucket} where they belong',
  ],
  [
    'vendor = "custom"\nendpoint = "https://{bucket}.example.com"\naddressing = "path"',
    'addressing is "path", but the endpoint says with {bucket} where the bucket stands: leave one out',
  ],
]
for (const [fields, line] of wrong)
  test(`refused: ${fields.replaceAll('\n', ', ')}`, (t) => {
    t.deepEqual(complaints(fields), [line])
  })

test('a field that is missing is named with what it must be', (t) => {
  t.deepEqual(parsed('[offsite]\n').lines, [
    `${file}: [offsite] vendor is missing: it must be one of ${vendorIds}`,
    `${file}: [offsite] bucket is missing: it must be a name of A-Z a-z 0-9 . _ -, with a letter or digit first and 2 characters or more`,
    `${file}: [offsite] backup_directory is missing: it must be a path that starts with / and has only A-Z a-z 0-9 /`,
  ])
})

test('a field that is none is named with what was meant, and its value is not shown', (t) => {
  const key = randomKey()
  const [line = '', ...others] = complaints(`secret_kye = "${key}"`)
  t.deepEqual(others, [])
  t.true(
    line.startsWith(
      'secret_kye is no field (did you mean secret_key?): it must be one of vendor, bucket, region, endpoint, ',
    ),
    line,
  )
  t.false(line.includes(key))
})

test('keys come in pairs, from one place, and are never shown', (t) => {
  const key = randomKey()
  const cases: [string, string[]][] = [
    [`access_key = "${key}"`, ['secret_key is missing: access_key needs it']],
    [`secret_key = "${key}"`, ['access_key is missing: secret_key needs it']],
    [
      `session_token = "${key}"`,
      ['access_key is missing: session_token needs it', 'secret_key is missing: session_token needs it'],
    ],
    [
      `access_key = "${key}"\nsecret_key = "${key}"\nkeys_file = "/root/keys"`,
      ['keys_file is for keys that are not written here: leave it out, or access_key'],
    ],
    [
      `access_key = "${key} "\nsecret_key = ["${key}"]`,
      [
        'access_key is not written as it should be: it must be a text in quotes, without spaces',
        'secret_key is not written as it should be: it must be a text in quotes, without spaces',
      ],
    ],
  ]
  for (const [fields, lines] of cases) t.deepEqual(complaints(fields), lines)
  const inEndpoint = complaints(`vendor = "custom"\nendpoint = "https://${key}:x@example.com"`)
  t.is(inEndpoint.length, 1)
  t.regex(inEndpoint[0]!, /^endpoint is wrong: keys do not belong in an endpoint/)
  t.false(inEndpoint.join().includes(key))
})

test('a name has only what can be typed before a path', (t) => {
  t.deepEqual(parsed('["-x"]\n["a b"]\n[""]\n').lines, [
    `${file}: [-x] is no name for a destination: it must have only A-Z a-z 0-9 _ -, with a letter or digit first`,
    `${file}: [a b] is no name for a destination: it must have only A-Z a-z 0-9 _ -, with a letter or digit first`,
    `${file}: [] is no name for a destination: it must have only A-Z a-z 0-9 _ -, with a letter or digit first`,
  ])
})

test('all that is wrong with a file is told at once', (t) => {
  const { lines } = parsed(`
    bucket = "x"
    [one]
    vendor = "amazon"
    bucket = "/"
    backup_directory = "x"
    [two]
    vendor = "minio"
    bucket = "two"
    backup_directory = "/two"
  `)
  t.deepEqual(
    lines.map((line) => line.slice(file.length + 2).split(':')[0]),
    [
      'bucket stands outside of any destination',
      '[one] bucket is "/"',
      '[one] backup_directory is "x"',
      '[two] endpoint is missing',
    ],
  )
})

test('what is no TOML is told by its place, and not shown', (t) => {
  const key = randomKey()
  t.deepEqual(parsed(`[offsite]\nsecret_key = ${key}x\n`).lines.join().includes(key), false)
  t.regex(
    parsed(`[offsite]\nsecret_key = "${key}\n`).lines.join('\n'),
    /^[^\n]*: is no TOML: [^\n]+ \(line \d+, column \d+\)$/,
  )
  t.deepEqual(parsed('[a]\n[a]\n').lines, [
    `${file}: is no TOML: trying to redefine an already defined table or value (line 2, column 2)`,
  ])
})

test('a destination whose index is mapped is for reading only', (t) => {
  const { destinations, lines } = parsed(`
    [inline]
    vendor = "amazon"
    bucket = "backups-7"
    backup_directory = "/old"
    [inline.index_mapping]
    from = "files"
    [in-a-file]
    vendor = "amazon"
    bucket = "backups-7"
    backup_directory = "/older"
    index_mapping = "older.toml"
  `)
  t.deepEqual(lines, [])
  t.like(destinations[0], { readOnly: true, indexMapping: { file, table: { from: 'files' } } })
  t.like(destinations[1], {
    readOnly: true,
    indexMapping: { file: '/etc/jbfs/older.toml', table: undefined },
  })
  t.deepEqual(complaints('read_only = false\nindex_mapping = "older.toml"'), [
    'read_only is false, and index_mapping says that another program writes there: leave one out',
  ])
  t.deepEqual(complaints('index_mapping = 7'), ['index_mapping is 7: it must be a path'])
})

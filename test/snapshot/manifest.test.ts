import test from 'ava'
import { type Manifest, parseManifest, serializeManifest } from '../../src/snapshot/manifest.ts'
import { manifest, totals } from './publish-sample.ts'

const sha256 = 'ab'.repeat(32)
const index = { key: 'export/snap.3', encoding: 'zstd', size: 10, rawSize: 20, sha256 } as const
const complete: Omit<Manifest, 'bytes'> = { ...manifest, jbfs: { format: 1, ...totals, index } }

/** As JSON, with a member of `jbfs` replaced; `undefined` leaves it out. */
function changed(member: string, value: unknown): Buffer {
  return Buffer.from(JSON.stringify({ ...complete, jbfs: { ...complete.jbfs, [member]: value } }))
}

test('a manifest comes back as it was', (t) => {
  const bytes = serializeManifest(complete)
  t.deepEqual(parseManifest(bytes), { ...complete, bytes })
  t.true(bytes.toString().endsWith('}\n'))
})

test('an index lies at one of two keys', (t) => {
  for (const key of ['export/snap.3', 'export/snap.3.1', 'export/snap.1.1'])
    t.is(parseManifest(changed('index', { ...index, key })).jbfs?.index.key, key)
})

test('members that are not known are kept, in their place', (t) => {
  const base = { vendor: { deep: [1, null] }, created: 5, items: [], version: '5.3', suspended: true }
  const json = JSON.parse(serializeManifest(complete, base).toString()) as object
  t.deepEqual(Object.keys(json), ['vendor', 'created', 'items', 'version', 'suspended', 'account', 'jbfs'])
  t.like(json, { vendor: { deep: [1, null] }, created: complete.created, suspended: false, version: '5.3' })
})

test('the manifest of a vendor is read as far as it is understood', (t) => {
  const read = (text: string): Omit<Manifest, 'bytes'> => {
    const { bytes, ...rest } = parseManifest(Buffer.from(text))
    t.is(bytes.toString(), text)
    return rest
  }
  t.deepEqual(read('{"created": 1650000035, "suspended": true, "items": [{"path": "/home/x"}], "more": 1}'), {
    created: 1650000035,
    suspended: true,
    account: undefined,
    items: [{ type: '', path: '/home/x', files: 0, size: 0 }],
    jbfs: undefined,
  })
  t.like(read('{"created": "yesterday", "items": {"a": 1}, "account": 7}'), {
    created: 0,
    items: [],
    account: undefined,
  })
  t.like(read('{"created": 1e300, "items": [null, 3, [], {"type": 4, "files": -1, "size": 1.5}]}'), {
    created: 0,
    items: [{ type: '', path: '', files: 0, size: 0 }],
  })
})

test('what is hostile in members of no use counts as missing', (t) => {
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
  for (const hostile of ['{"toString": 1}', deep])
    t.deepEqual(parseManifest(Buffer.from(`{"items": [{"type": ${hostile}, "path": ${hostile}}]}`)).items, [
      { type: '', path: '', files: 0, size: 0 },
    ])
  const index = `{"key": "export/snap.1", "encoding": ${deep}}`
  const jbfs = JSON.stringify({ ...complete.jbfs, index: 0 }).replace('"index":0', `"index":${index}`)
  t.throws(() => parseManifest(Buffer.from(`{"jbfs": ${jbfs}}`)), { code: 'bad-manifest' })
})

test('a time is one that a date can have', (t) => {
  const created = (seconds: number): number => parseManifest(Buffer.from(`{"created": ${seconds}}`)).created
  t.is(created(-1), -1)
  t.is(created(8.64e12), 8.64e12)
  t.is(created(8.64e12 + 1), 0)
  t.is(created(-(2 ** 53 - 1)), 0)
})

const notManifests: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['text', Buffer.from('hello')],
  ['half a manifest', serializeManifest(complete).subarray(0, 200)],
  ['an array', Buffer.from('[]')],
  ['null', Buffer.from('null')],
  ['a number', Buffer.from('5')],
  ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ['SQLite', Buffer.from('SQLite format 3\0')],
  ['four million blanks', Buffer.alloc((4 << 20) + 1, 0x20)],
  ['deeply nested arrays', Buffer.from('['.repeat(100_000))],
]

for (const [what, bytes] of notManifests)
  test(`no manifest: ${what}`, (t) => {
    t.throws(() => parseManifest(bytes), { name: 'SnapshotError', code: 'bad-manifest' })
  })

const wrongMembers: readonly (readonly [member: string, value: unknown])[] = [
  ['format', undefined],
  ['format', '1'],
  ['format', -1],
  ['files', undefined],
  ['files', -1],
  ['files', 1.5],
  ['folders', null],
  ['bytes', 2 ** 60],
  ['root', undefined],
  ['root', []],
  ['root', { ...totals.root, mode: 0o100644 }],
  ['root', { ...totals.root, nlink: -1 }],
  ['root', { ...totals.root, uid: 2 ** 32 }],
  ['root', { ...totals.root, mtime: 5 }],
  ['root', { ...totals.root, ctime: { seconds: 0.5, nanoseconds: 0 } }],
  ['root', { ...totals.root, mtime: { seconds: 0, nanoseconds: 1e9 } }],
  ['root', { ...totals.root, xattrs: undefined }],
  ['index', undefined],
  ['index', { ...index, key: '../../other' }],
  ['index', { ...index, key: 'files/6258c0a30008839f00001146' }],
  ['index', { ...index, key: 'export/snap.3.2' }],
  ['index', { ...index, key: 'export/snap.3.1.1' }],
  ['index', { ...index, key: 'export/snap.03' }],
  ['index', { ...index, key: 'export/snap.0' }],
  ['index', { ...index, key: 'export/snap.3/../../other' }],
  ['index', { ...index, key: 'other/export/snap.3' }],
  ['index', { ...index, key: 5 }],
  ['index', { ...index, encoding: 'gzip' }],
  ['index', { ...index, size: -1 }],
  ['index', { ...index, rawSize: 'large' }],
  ['index', { ...index, rawSize: 2 ** 30 + 1 }],
  ['index', { ...index, sha256: sha256.toUpperCase() }],
  ['index', { ...index, sha256: sha256.slice(2) }],
]

for (const [member, value] of wrongMembers)
  test(`refused: jbfs.${member} of ${JSON.stringify(value)}`, (t) => {
    t.throws(() => parseManifest(changed(member, value)), { code: 'bad-manifest' })
  })

test('refused: a member jbfs that is no object', (t) => {
  for (const jbfs of [null, 5, 'x', []])
    t.throws(() => parseManifest(Buffer.from(JSON.stringify({ ...complete, jbfs }))), {
      code: 'bad-manifest',
    })
})

test('of a later format only that it is too new is said, whatever else it has', (t) => {
  const later = Buffer.from('{"created": 1, "jbfs": {"format": 2, "index": "elsewhere"}}')
  t.throws(() => parseManifest(later), { code: 'too-new', message: /format 2.*update jbfs/ })
})

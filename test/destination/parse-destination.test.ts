import { mkdir, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import test from 'ava'
import { DestinationError } from '../../src/destination/errors.ts'
import {
  formatDestination,
  parseDestination,
  storeDefaults as store,
} from '../../src/destination/parse-destination.ts'
import { temporaryFolder } from '../support/mounted.ts'

test('a path and a file URL name a folder', (t) => {
  t.deepEqual(parseDestination('/backups/'), { kind: 'directory', path: '/backups', store })
  t.deepEqual(parseDestination('./b/../c'), { kind: 'directory', path: resolve('c'), store })
  t.deepEqual(parseDestination('file:///my%20backups'), { kind: 'directory', path: '/my backups', store })
  t.deepEqual(parseDestination('src'), { kind: 'directory', path: resolve('src'), store })
})

test('a folder has one path, by whatever symlink it is reached, also when it is not there yet', async (t) => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'real'))
  await symlink('real', join(folder.path, 'link'))
  for (const scheme of ['', 'file://'])
    for (const below of ['', '/web'])
      t.like(parseDestination(`${scheme}${folder.path}/link${below}`), {
        path: `${folder.path}/real${below}`,
      })
})

test('s3:// names a bucket and a backup directory', (t) => {
  t.deepEqual(parseDestination('s3://bucket'), { kind: 's3', bucket: 'bucket', prefix: '', store })
  t.deepEqual(parseDestination('s3://my.bucket//a/b c/'), {
    kind: 's3',
    bucket: 'my.bucket',
    prefix: 'a/b c',
    store,
  })
  t.deepEqual(parseDestination('S3://Old_Bucket/a'), { kind: 's3', bucket: 'Old_Bucket', prefix: 'a', store })
})

test('what names no destination is one line that says what does', (t) => {
  const cases: [string, RegExp][] = [
    ['', /no destination given: say a folder .* or s3:/],
    ['no-such-word', /there is no folder "no-such-word" here; a destination is a folder .* or s3:/],
    ['ftp://host/x', /"ftp:\/\/host\/x" is no destination/],
    ['https://s3.example.com/b', /and the server with --endpoint/],
    ['s3://', /"" is no bucket name/],
    ['s3:///path', /"" is no bucket name/],
    ['s3://b?d/path', /"b\?d" is no bucket name/],
    ['file://host/path', /names no local folder/],
  ]
  for (const [text, message] of cases) {
    const error = t.throws(() => parseDestination(text), { instanceOf: DestinationError, message }, text)
    t.is(error?.code, 'bad-destination')
    t.false(error?.message.includes('\n'))
  }
})

test('keys in a destination are refused and not repeated', (t) => {
  const texts = [
    's3://AKIA1:geheim@bucket/path',
    's3://AKIA1:geheim/geheim+geheim@bucket/path',
    's3://AKIA1:geheim',
    's3://geheim+geheim/geheim@bucket/path',
    's3://AKIA1@bucket',
    'https://AKIA1:geheim@s3.example.com/bucket',
    'file://AKIA1:geheim@bucket/path',
  ]
  for (const text of texts) {
    const error = t.throws(() => parseDestination(text), { instanceOf: DestinationError }, text)
    t.regex(error?.message ?? '', /AWS_ACCESS_KEY_ID/)
    t.notRegex(error?.message ?? '', /geheim|AKIA1/)
  }
  const bare = t.throws(() => parseDestination('AKIA1:geheim@bucket'), { instanceOf: DestinationError })
  t.notRegex(bare?.message ?? '', /geheim|AKIA1/)
  t.like(parseDestination('s3://bucket/me@here:too'), { bucket: 'bucket', prefix: 'me@here:too' })
})

test('a formatted destination is read back as the same', (t) => {
  for (const text of ['/a/b', 's3://bucket', 's3://bucket/a/b', 'src', 'file:///x'])
    t.deepEqual(parseDestination(formatDestination(parseDestination(text))), parseDestination(text), text)
})

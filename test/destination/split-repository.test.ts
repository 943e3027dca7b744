import test from 'ava'
import { parseDestination } from '../../src/destination/parse-destination.ts'
import { splitRepository } from '../../src/destination/split-repository.ts'

const taken: readonly (readonly [text: string, around: string, repository: string, number?: number])[] = [
  ['/backups/account', '/backups', 'account/'],
  ['/account', '/', 'account/'],
  ['/backups/job/account/snap.7', '/backups/job', 'account/', 7],
  ['/files/account', '/files', 'account/'],
  ['s3://bucket/account', '', 'account/'],
  ['s3://bucket/backups/account/snap.1/', 'backups', 'account/', 1],
  // Of an account that is called so.
  ['/backups/snap5/snap.1', '/backups', 'snap5/', 1],
  ['/backups/snapper', '/backups', 'snapper/'],
]
for (const [text, around, repository, number] of taken)
  test(`${text} is a repository`, (t) => {
    const place = splitRepository(parseDestination(text))
    const { destination } = place
    t.is(destination.kind === 'directory' ? destination.path : destination.prefix, around)
    t.is(place.repository, repository)
    t.is(place.number, number)
  })

const refused: readonly (readonly [text: string, say: string])[] = [
  ['/', '/: this names no repository: say <destination>/<repository>'],
  ['/snap.1', '/snap.1: this names no repository: say <destination>/<repository>'],
  ['s3://bucket', 's3://bucket: this names no repository: say <destination>/<repository>'],
  ['/b/a/snap.3/homedir', 'nothing can lie in a snapshot: say /b/a/snap.3, or another N'],
  ['/b/a/snap.3/snap.4', 'nothing can lie in a snapshot: say /b/a/snap.3, or another N'],
  ['/b/a/files', 'files is a part of a repository: say /b/a, or /b/a/snap.N'],
  [
    's3://bucket/a/files2/snap.1',
    'files2 is a part of a repository: say s3://bucket/a, or s3://bucket/a/snap.N',
  ],
  ['/b/a/export', 'export is a part of a repository: say /b/a, or /b/a/snap.N'],
  ...['snap.x', 'snap.0', 'snap.', 'snap99999999999'].map(
    (name) =>
      [
        `/b/a/${name}`,
        `${name} is no snapshot: say /b/a/snap.N, or, if a repository has that name, /b/a/${name}/snap.N`,
      ] as const,
  ),
]
for (const [text, say] of refused)
  test(`${text} is refused`, (t) => {
    const { message } = t.throws(() => splitRepository(parseDestination(text)), {
      code: 'bad-destination',
    }) as Error
    t.true(message.endsWith(say), message)
  })

for (const name of ['snap5', 'snapshot5', 'snapshot.5', 'Snap.5', 'snap-05', 'snap 5'])
  test(`${name} is a mistyped snapshot`, (t) => {
    t.throws(() => splitRepository(parseDestination(`s3://bucket/a/${name}`)), {
      code: 'bad-destination',
      message: `s3://bucket/a/${name}: ${name} is no snapshot: say s3://bucket/a/snap.5, or, if a repository has that name, s3://bucket/a/${name}/snap.N`,
    })
  })

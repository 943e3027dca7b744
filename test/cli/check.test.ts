import { fileKey } from '../../src/destination/layout.ts'
import { placesTest } from '../support/places.ts'
import { plant, planted, publishContents } from '../support/planted-destination.ts'

/** `jbfs check`, as its users see it. */

placesTest(
  'each fault of a planted destination is found, with its snapshots, and nothing else',
  async (t, place) => {
    await plant(place.store, place.folder)
    place.proxy?.reset()
    const { code, stdout, stderr } = await place.jbfs('check', '', '--read-data', '--json')
    t.is(code, 5, stderr)
    const { problems, repositories, summary } = JSON.parse(stdout)
    const { missing, truncated, altered } = planted
    t.deepEqual(
      problems.map(({ text: _, ...problem }: { text: string }) => problem),
      [
        { repository: 'job/broken', snapshots: ['snap.1', 'snap.3'], object: missing, kind: 'missing' },
        { repository: 'job/broken', snapshots: ['snap.1'], object: truncated, kind: 'wrong-size' },
        { repository: 'job/broken', snapshots: ['snap.1'], object: altered, kind: 'altered' },
        { repository: 'job/index', snapshots: ['snap.2'], object: null, kind: 'bad-index' },
        { repository: 'job/manifest', snapshots: ['snap.2'], object: null, kind: 'bad-manifest' },
      ],
    )
    const orphans = Object.fromEntries(
      repositories.map((row: Record<string, unknown>) => [row.repository, [row.orphans, row.unaccounted]]),
    )
    t.deepEqual(orphans, {
      'job/broken': [{ count: 1, bytes: 6 }, null],
      'job/foreign': [null, { count: 1, bytes: 19 }],
      'job/index': [null, { count: 1, bytes: 6 }],
      'job/manifest': [null, { count: 1, bytes: 6 }],
      'job/sound': [{ count: 3, bytes: 18 }, null],
    })
    t.like(summary, {
      repositories: 5,
      snapshots: 7,
      damaged: 2,
      foreign: ['job/foreign/snap.2'],
      changed: [],
      orphanedIndexes: { count: 1, bytes: 8 },
      otherKeys: 2,
      problems: 5,
    })
    t.is(summary.objects.count, 10)
    // Those that are missing or truncated need not be read.
    t.is(summary.read.count, 8)
    if (place.proxy !== undefined) t.like(place.proxy.counts(), { PUT: 0, POST: 0, DELETE: 0 })
  },
)

placesTest('without reading objects what is altered passes; each problem is a line', async (t, place) => {
  await plant(place.store, place.folder)
  place.proxy?.reset()
  const { code, stdout } = await place.jbfs('check', '/job/broken')
  t.is(code, 5)
  const [first, second, ...rest] = stdout.split('\n')
  t.is(first, `snap.1, snap.3: object ${planted.missing} is missing, all of its 7 bytes`)
  t.is(second, `snap.1: object ${planted.truncated} has 5 bytes instead of 9`)
  t.regex(
    rest.join('\n'),
    /^checked 2 snapshots in 1 repository of .*: 4 objects .*\norphaned: 1 object \(6 B\).*\n2 problems\n$/,
  )
  // Manifests and indexes are read, objects are only listed.
  if (place.proxy !== undefined) t.like(place.proxy.counts(), { GET: 4, HEAD: 0, PUT: 0, POST: 0, DELETE: 0 })
})

placesTest(
  'orphans and foreign snapshots are no fault; a part of the objects can be read',
  async (t, place) => {
    await plant(place.store, place.folder)
    const sound = await place.jbfs('check', '/job/sound', '--read-data=50')
    t.is(sound.code, 0, sound.stderr)
    t.regex(sound.stdout, /compared the bytes of 2 objects/)
    t.regex(sound.stdout, /\norphaned: 3 objects \(18 B\) and 1 file index \(8 B\)/)
    t.regex(sound.stdout, /\nleft alone: 2 keys in files\/.*\nno problems\n$/)
    const foreign = await place.jbfs('check', '/job/foreign')
    t.is(foreign.code, 0)
    t.regex(
      foreign.stdout,
      /\nnot checkable, as jbfs did not write them: snap\.2\nunaccounted for: 1 object /,
    )
  },
)

placesTest('an index that is missing, and an object that is gone when it is read', async (t, place) => {
  const { store, folder } = place
  await publishContents(store, folder, {
    repository: 'a/',
    number: 1,
    contents: { [planted.whole]: 'whole' },
  })
  await publishContents(store, folder, {
    repository: 'a/',
    number: 2,
    contents: { [planted.first]: 'first' },
  })
  await store.delete(['a/export/snap.1' as never, fileKey('a/', planted.first)])
  const { code, stdout } = await place.jbfs('check', '', '--read-data')
  t.is(code, 5)
  t.regex(stdout, /^a\/snap\.1 cannot be shown: its file index export\/snap\.1 is missing\n/)
  t.regex(stdout, /\na: snap\.2: object \w+ is missing/)
})

placesTest('a place without repositories does not pass for a sound one', async (t, place) => {
  const { code, stderr } = await place.jbfs('check', '')
  t.is(code, 5)
  t.is(stderr, 'jbfs: there are no repositories to check\n')
  const snapshot = await place.jbfs('check', '/a/snap.1')
  t.is(snapshot.code, 2)
  t.regex(snapshot.stderr, /snap\.1 is a snapshot: say its repository, .*\/a, or a destination\n$/)
})

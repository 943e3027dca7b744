import test from 'ava'
import { refuseForeign } from '../../src/daemon/refuse-foreign.ts'
import { manifestKey } from '../../src/destination/layout.ts'
import { emptyStore, publishSample, repository } from '../snapshot/publish-sample.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'

const foreign: Readonly<Record<string, string | Buffer>> = {
  'the vendor’s JSON': '{"created": 1650000035, "items": []}',
  'a database': 'SQLite format 3\0',
  'JSON of another shape': '["a", "list"]',
  'no JSON': 'account=acme',
  'more than a manifest of jbfs has': Buffer.alloc((4 << 20) + 1, ' '),
}

for (const [title, manifest] of Object.entries(foreign))
  test(`a destination whose manifests are ${title} is not for writing`, async (t) => {
    const store = await emptyStore(await temporaryFolder(t))
    await store.put(manifestKey(repository, 1), Buffer.from(manifest))
    await t.throwsAsync(refuseForeign(store), { code: 'foreign' })
  })

test('one damaged manifest among those of jbfs makes no destination foreign', async (t) => {
  const folder = await temporaryFolder(t)
  const store = await emptyStore(folder)
  await publishSample(store, folder, 1)
  await store.put(manifestKey(repository, 2), Buffer.from('no JSON'))
  await t.notThrowsAsync(refuseForeign(store))
})

import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { fileKey, manifestKey } from '../../src/destination/layout.ts'
import { type CheckResult, checkRepository } from '../../src/maintenance/check-repository.ts'
import type { ObjectReader } from '../../src/store/object-store.ts'
import { readOnly } from '../../src/store/read-only.ts'
import { emptyStore } from '../snapshot/publish-sample.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'
import { idAt, oldTime, publishContents } from '../support/planted-destination.ts'

const repository = 'a/'

test('what others publish and remove meanwhile is no problem', async (t) => {
  const folder = await temporaryFolder(t)
  const store = await emptyStore(folder)
  const [one, both, added] = [idAt(oldTime, 1), idAt(oldTime, 2), idAt(oldTime, 3)]
  await publishContents(store, folder, { repository, number: 1, contents: { [one]: 'one', [both]: 'both' } })
  await publishContents(store, folder, { repository, number: 2, contents: { [both]: 'both' } })
  const changing: ObjectReader = {
    ...readOnly(store),
    async *list(prefix, options) {
      if (prefix === 'a/files/') {
        await store.delete([manifestKey(repository, 1), fileKey(repository, one)])
        await publishContents(store, folder, { repository, number: 3, contents: { [added]: 'added' } })
      }
      yield* store.list(prefix, options)
    },
  }
  const check = (reader: ObjectReader): Promise<CheckResult> =>
    checkRepository({ reader, repository, temporary: folder, logger: silentLogger, onProgress: () => {} })
  const { checked, problems } = await check(changing)
  t.deepEqual([...problems], [])
  t.deepEqual(checked.changed, ['snap.1', 'snap.3'])
  // The removed snapshot's index, and not that of the new one.
  t.is(checked.orphanedIndexes.count, 1)

  await store.delete([fileKey(repository, both)])
  const again = await check(store)
  t.deepEqual(again.checked.changed, [])
  t.deepEqual(
    [...again.problems].map(({ snapshots, object }) => [snapshots, object]),
    [[['snap.2'], both]],
  )
})

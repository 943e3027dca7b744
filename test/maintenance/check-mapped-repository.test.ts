import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { readMappingFile } from '../../src/foreign/mapping-file.ts'
import { checkMappedRepository } from '../../src/maintenance/check-mapped-repository.ts'
import type { CheckProgress } from '../../src/maintenance/check-repository.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { layoutMappings } from '../foreign/layout-mappings.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'
import { foreignObjects, foreignRepository, writeObjects } from '../support/foreign/foreign-destination.ts'
import { foreignLayouts } from '../support/foreign/layouts.ts'

test('the progress of a sample is of what is read, and not of all there is', async (t) => {
  const folder = await temporaryFolder(t)
  const destination = join(folder, 'destination')
  const layout = foreignLayouts.find(({ name }) => name === 'paths')!
  writeObjects(destination, foreignObjects(layout, folder))
  writeFileSync(join(folder, 'mapping.toml'), layoutMappings.paths!)
  const shown: CheckProgress[] = []
  const { checked, problems } = await checkMappedRepository({
    reader: new DirectoryStore(destination),
    repository: foreignRepository,
    mapping: readMappingFile(join(folder, 'mapping.toml')),
    temporary: folder,
    readData: { percent: 50, concurrency: 4 },
    logger: silentLogger,
    onProgress: (progress) => shown.push(progress),
  })
  t.deepEqual([...problems], [])
  const read = shown.at(-1)?.read
  t.is(read?.all.count, Math.ceil(checked.objects.count / 2))
  t.deepEqual(read?.done, { ...read?.all })
  t.deepEqual(checked.read, read?.done)
})

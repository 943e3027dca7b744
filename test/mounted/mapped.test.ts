import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { layoutMappings } from '../foreign/layout-mappings.ts'
import {
  foreignObjects,
  foreignRepository,
  foreignSnapshots,
  sourceOf,
  writeObjects,
} from '../support/foreign/foreign-destination.ts'
import { foreignLayouts } from '../support/foreign/layouts.ts'
import { mountDestination, temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { output } from '../support/run.ts'
import { runJbfs } from '../support/run-jbfs.ts'
import { testUnless } from '../support/test-unless.ts'

const mountedTest = testUnless(test, whyNoMounts())

for (const layout of foreignLayouts)
  mountedTest(`with a mapping, the layout ${layout.name} is the tree that was backed up`, async (t) => {
    await using folder = await temporaryFolder()
    const destination = join(folder.path, 'destination')
    writeObjects(destination, foreignObjects(layout, folder.path))
    const mapping = join(folder.path, 'mapping.toml')
    await writeFile(mapping, layoutMappings[layout.name] ?? '')
    const args = ['--mapping', mapping]
    await using mount = await mountDestination(folder.path, destination, { args })
    for (const number of foreignSnapshots) {
      const mounted = join(mount.path, foreignRepository, `snap.${number}`)
      // Its own attributes are known when it has been looked into.
      await output('ls', [mounted])
      const compare = ['-aAXHni', '--checksum', '--delete', '--exclude=/jetbackup.index']
      const differences = await output('rsync', [
        ...compare,
        `${sourceOf(folder.path, number)}/`,
        `${mounted}/`,
      ])
      const lines = differences
        .split('\n')
        .filter((line) => line !== '' && (layout.keeps.topFolder || !line.endsWith(' ./')))
      t.deepEqual(lines, [], await mount.log())
    }
    await t.throwsAsync(writeFile(join(mount.path, foreignRepository, 'snap.3/new'), 'x'), { code: 'EROFS' })
    t.notRegex(await mount.log(), /left out/)
  })

mountedTest('what a mapping makes is made once, and kept for the next mount', async (t) => {
  await using folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  writeObjects(destination, foreignObjects(foreignLayouts[0]!, folder.path))
  const mapping = join(folder.path, 'mapping.toml')
  await writeFile(mapping, layoutMappings.paths ?? '')
  for (const isMade of [true, false]) {
    await using mount = await mountDestination(folder.path, destination, { args: ['--mapping', mapping] })
    const path = join(foreignRepository, 'snap.3/config/cp/acme')
    t.regex(await readFile(join(mount.path, path), 'utf8'), /USER=acme/)
    t.is((await mount.log()).includes('a foreign index is to be mapped'), isMade)
    t.is((await mount.log()).includes('foreign index mapped'), isMade)
  }
})

test('a destination with a mapping is for reading only, and a wrong mapping is refused', async (t) => {
  await using folder = await temporaryFolder()
  const mapping = join(folder.path, 'mapping.toml')
  const mounting = ['mount', folder.path, join(folder.path, 'mnt'), '--mapping', mapping]
  await writeFile(mapping, layoutMappings.paths ?? '')
  const writing = await runJbfs([...mounting, '--read-write'])
  t.not(writing.code, 0)
  t.regex(writing.stderr, /--read-write is not for a destination with an index_mapping/)
  await writeFile(mapping, 'from = "t"\n')
  const wrong = await runJbfs(mounting)
  t.not(wrong.code, 0)
  t.regex(wrong.stderr, /mapping\.toml: database is missing/)
})

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { foreignObjects, foreignRepository, writeObjects } from '../support/foreign/foreign-destination.ts'
import { obscure } from '../support/foreign/layouts/obscure.ts'
import { temporaryFolder } from '../support/mounted.ts'
import { runJbfs } from '../support/run-jbfs.ts'

test('columns whose names say nothing, beside others that look alike, are told by what is in them', async (t) => {
  await using folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  await mkdir(destination)
  writeObjects(destination, foreignObjects(obscure, folder.path))
  const place = join(destination, foreignRepository, 'snap.3')
  const cache = ['--cache-dir', join(folder.path, 'cache')]
  const { stdout, stderr } = await runJbfs(['inspect', place, '--suggest', ...cache])
  const { columns } = obscure.truth
  t.regex(stdout, /^from = "t1"$/m, stderr)
  // Whether the owner or the group comes first, nothing in them tells: at worst two corrections.
  for (const [role, column] of Object.entries(columns))
    t.regex(stdout, new RegExp(`^${role} = "t1\\.${column}" # `, 'm'), stdout)
})

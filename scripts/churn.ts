/**
 * Changes a snapshot through one mount for ten minutes while another one, as on another server, looks at it all the while: the reader must see published states only, and never an error. As
 * root; `test/mounted/crash.test.ts` has a few seconds of it:
 *
 *   node scripts/churn.ts                              ten minutes on versitygw
 *   node scripts/churn.ts --store folder --minutes 1
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import yargs from 'yargs'
import { churn } from '../test/support/crash/churn.ts'
import { prepareScene, stores } from '../test/support/crash/scene.ts'
import { whyNoMounts } from '../test/support/mounted.ts'

const { minutes, store, seed } = yargs(process.argv.slice(2))
  .options({
    minutes: { type: 'number', default: 10 },
    store: { choices: stores, default: 'versitygw' as const, describe: 'what the destination is' },
    seed: { type: 'number', default: Date.now() % 1_000_000, defaultDescription: 'another one each time' },
  })
  .strict()
  .parseSync()

const reason = whyNoMounts()
if (reason !== undefined) throw new Error(reason)
const folder = await mkdtemp(join(tmpdir(), 'jbfs-churn-'))
console.log(`${store}, seed ${seed}`)
try {
  await using scene = await prepareScene(folder, { store, fault: 'none' })
  console.log(JSON.stringify(await churn({ ...scene, seed, milliseconds: minutes * 60_000 })))
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}

/**
 * Kills a daemon that is mounted for writing at hundreds of random moments, and looks whether anything is lost, or seen half done by readers. Run it, as root, after every change of
 * `src/staging/`, of publishing or of recovery; `test/mounted/crash.test.ts` is a short run of it:
 *
 *   node scripts/crash.ts                                      200 rounds in a folder
 *   node scripts/crash.ts --store versitygw --fault server     with the S3 server killed, too; `storm`: 503 for a while; `disk`: no room for staging
 *   node scripts/crash.ts --seed 7                             the same workload again; moments depend on the machine as well
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import yargs from 'yargs'
import { crashAgainAndAgain } from '../test/support/crash/rounds.ts'
import { faultNames, prepareScene, stores } from '../test/support/crash/scene.ts'
import { whyNoMounts } from '../test/support/mounted.ts'

const { rounds, store, fault, seed, keep } = yargs(process.argv.slice(2))
  .options({
    rounds: { type: 'number', default: 200, describe: 'lives of the daemon' },
    store: { choices: stores, default: 'folder' as const, describe: 'what the destination is' },
    fault: { choices: faultNames, default: 'none' as const, describe: 'what goes wrong beside' },
    seed: { type: 'number', default: Date.now() % 1_000_000, defaultDescription: 'another one each time' },
    keep: { type: 'boolean', default: false, describe: 'leave all that was written when it fails' },
  })
  .strict()
  .parseSync()

const reason = whyNoMounts()
if (reason !== undefined) throw new Error(reason)
const folder = await mkdtemp(join(tmpdir(), 'jbfs-crash-'))
let isKept = false
console.log(`${store}, fault ${fault}, seed ${seed}`)
try {
  await using scene = await prepareScene(folder, { store, fault })
  const totals = await crashAgainAndAgain({
    ...scene,
    seed,
    rounds,
    report: (line) => console.log(line),
  })
  console.log(JSON.stringify(totals))
} catch (error) {
  isKept = keep
  console.error(`seed ${seed}${keep ? `, kept in ${folder}` : ''}:`, error)
  process.exitCode = 1
} finally {
  if (!isKept) await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}

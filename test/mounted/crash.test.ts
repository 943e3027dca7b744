import test, { type ExecutionContext } from 'ava'
import { churn } from '../support/crash/churn.ts'
import { crashAgainAndAgain } from '../support/crash/rounds.ts'
import { type FaultName, prepareScene, type StoreName } from '../support/crash/scene.ts'
import { temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { whyNoS3 } from '../support/s3-server.ts'
import { testUnless } from '../support/test-unless.ts'

/** A few rounds of `scripts/crash.ts`, and seconds of `scripts/churn.ts`, which have the long runs. */

function mountTest(
  title: string,
  store: StoreName,
  body: (t: ExecutionContext, folder: string, seed: number) => Promise<void>,
): void {
  const reason = whyNoMounts() ?? (store === 'folder' ? undefined : whyNoS3(store))
  testUnless(test.serial, reason)(title, async (t) => {
    const seed = Date.now() % 1_000_000
    t.log(`seed ${seed}`)
    await using folder = await temporaryFolder()
    await body(t, folder.path, seed)
  })
}

function crashTest(title: string, rounds: number, store: StoreName, fault: FaultName): void {
  mountTest(title, store, async (t, folder, seed) => {
    await using scene = await prepareScene(folder, { store, fault })
    const report = (line: string): void => t.log(line)
    const totals = await crashAgainAndAgain({ ...scene, seed, rounds, report })
    t.true(totals.looks > 0)
  })
}

crashTest('a daemon that is killed loses nothing', 3, 'folder', 'none')
crashTest(
  'a daemon that is killed while the S3 server is killed, too, loses nothing',
  2,
  'versitygw',
  'server',
)
crashTest('a daemon that is killed in a storm of 503 loses nothing', 2, 'versitygw', 'storm')
crashTest('a daemon that is killed on a full disk loses nothing', 2, 'folder', 'disk')
mountTest(
  'a reader sees published states only while somebody writes',
  'versitygw',
  async (t, folder, seed) => {
    await using scene = await prepareScene(folder, { store: 'versitygw', fault: 'none' })
    const { looks, statesSeen } = await churn({ ...scene, seed, milliseconds: 10_000 })
    t.true(looks > 0)
    t.true(statesSeen > 0)
  },
)

import test from 'ava'
import { crashAgainAndAgain } from '../support/crash/rounds.ts'
import { type FaultName, prepareScene, type StoreName } from '../support/crash/scene.ts'
import { temporaryFolder, whyNoMounts } from '../support/mounted.ts'
import { availableS3Servers, whyNoS3 } from '../support/s3-server.ts'

/** A few rounds of `scripts/crash.ts`, which has the long run. */

function crashTest(title: string, rounds: number, store: StoreName, fault: FaultName): void {
  const reason =
    whyNoMounts() ?? (store === 'folder' || availableS3Servers().includes(store) ? undefined : whyNoS3)
  if (reason !== undefined) {
    test.skip(`${title} (skipped: ${reason})`, () => {})
    return
  }
  test.serial(title, async (t) => {
    const seed = Date.now() % 1_000_000
    t.log(`seed ${seed}`)
    await using folder = await temporaryFolder()
    await using scene = await prepareScene(folder.path, { store, fault })
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

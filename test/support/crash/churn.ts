import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { mountDestination } from '../mounted.ts'
import { runJbfs } from '../run-jbfs.ts'
import { History } from './history.ts'
import { emptyState } from './model.ts'
import { publishedState } from './published-state.ts'
import { readState } from './read-state.ts'
import type { CrashOptions } from './rounds.ts'
import { watchPublished } from './watcher.ts'
import { perform, Workload } from './workload.ts'

export interface ChurnOptions
  extends Pick<
    CrashOptions,
    'folder' | 'stateDir' | 'destination' | 'env' | 'writerArgs' | 'readerArgs' | 'store' | 'seed'
  > {
  readonly milliseconds: number
}

export interface ChurnTotals {
  readonly steps: number
  readonly publishes: number
  readonly looks: number
  readonly statesSeen: number
}

const repository = 'customer/'
const number = 1
const snapshotPath = `${repository}snap.${number}`

/**
 * One mount changes a snapshot, and another looks at it all the while. Rejects when a change fails, or the reader sees anything but published states, one after the other, the last one in the end.
 */
export async function churn(options: ChurnOptions): Promise<ChurnTotals> {
  const { folder, stateDir, destination, env, writerArgs = [], readerArgs = [], store, seed } = options
  const home = { HOME: folder, ...env }
  const history = new History(emptyState)
  const workload = new Workload(seed)
  await using writer = await mountDestination(folder, destination, {
    args: ['--read-write', '--state-dir', stateDir, '--refresh', '1', ...writerArgs],
    env: home,
  })
  const root = join(writer.path, snapshotPath)
  let publishes = 0
  const publish = async (): Promise<void> => {
    const { length } = history
    const { code, stderr } = await runJbfs(['publish', writer.path], { env: home })
    if (code !== 0) throw new Error(`jbfs publish: ${stderr}`)
    history.published(length)
    publishes++
  }
  await mkdir(root, { recursive: true })
  await publish()
  await using reader = await mountDestination(join(folder, 'reader'), destination, {
    args: ['--refresh', '1', ...readerArgs],
    env: home,
  })
  await using watcher = watchPublished(join(reader.path, snapshotPath), history, () => false)
  let steps = 0
  for (const end = performance.now() + options.milliseconds; performance.now() < end; steps++) {
    const step = workload.next(history.state)
    if (step.kind === 'pause') await delay(step.milliseconds)
    else if (step.kind === 'publish') await publish()
    else await perform(root, step, history)
    if (watcher.faults.length > 0) break
  }
  history.settle(await readState(root))
  await publish()
  await watcher.sees(history.length)
  if (watcher.faults.length > 0) throw new Error(`a reader: ${watcher.faults.join('\n')}`)
  const last = await publishedState(store, { repository, number, cacheDir: join(folder, 'fresh-cache') })
  history.numberOf(last, history.length)
  return { steps, publishes, looks: watcher.looks, statesSeen: watcher.states }
}

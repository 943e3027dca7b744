import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf, messageOf } from '../../../src/base/errors.ts'
import { Random } from '../../../src/sample/random.ts'
import type { ObjectReader } from '../../../src/store/object-store.ts'
import { type MountedDestination, mountDestination } from '../mounted.ts'
import { run } from '../run.ts'
import { runJbfs } from '../run-jbfs.ts'
import type { Fault } from './faults.ts'
import { History } from './history.ts'
import { emptyState } from './model.ts'
import { publishedState } from './published-state.ts'
import { readState } from './read-state.ts'
import { type Watcher, watchPublished } from './watcher.ts'
import { perform, type Step, Workload } from './workload.ts'

export interface CrashOptions {
  /** For mounts, caches, logs. */
  readonly folder: string
  /** Where the writer's journal is. */
  readonly stateDir: string
  readonly destination: string
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly writerArgs?: readonly string[] | undefined
  readonly readerArgs?: readonly string[] | undefined
  /** The same destination, to look at it without jbfs's mounts. */
  readonly store: ObjectReader
  readonly seed: number
  readonly rounds: number
  readonly fault?: Fault | undefined
  /** Called after each round. */
  readonly report: (line: string) => void
}

/** What happened, beside nothing being lost. */
export interface CrashTotals {
  kills: number
  unmounts: number
  steps: number
  failedSteps: number
  publishes: number
  looks: number
  statesSeen: number
}

/** Milliseconds that no life of a daemon takes, faults and all. */
const longestRound = 60_000

/** Milliseconds before the kill, at most, by where it is to come. */
const longestPauses = { anywhere: 100, 'in a publish': 150, 'in an unmount': 6_000 } as const

const repository = 'customer/'
const number = 1
const snapshotPath = `${repository}snap.${number}`

/**
 * Kills a daemon at random moments of a mixed workload, mounts again, and compares: all that was acknowledged is there, what is published is whole, and a reader who looks all the while
 * sees one published state after the other. Rejects with the first thing that is not so.
 */
export async function crashAgainAndAgain(options: CrashOptions): Promise<CrashTotals> {
  const crash = new Crash(options)
  try {
    return await crash.run()
  } finally {
    await crash[Symbol.asyncDispose]()
  }
}

class Crash implements AsyncDisposable {
  readonly #options: CrashOptions
  readonly #history = new History(emptyState)
  readonly #workload: Workload
  /** Of when things happen; apart from what happens, which follows from the seed alone. */
  readonly #random: Random
  readonly #totals: CrashTotals = {
    kills: 0,
    unmounts: 0,
    steps: 0,
    failedSteps: 0,
    publishes: 0,
    looks: 0,
    statesSeen: 0,
  }
  readonly #syncs = new Set<Promise<unknown>>()
  #mount: MountedDestination | undefined
  #isKilled = false
  #isFaulty = false
  #hangs = false

  constructor(options: CrashOptions) {
    this.#options = options
    this.#workload = new Workload(options.seed)
    this.#random = new Random(options.seed + 1)
  }

  async run(): Promise<CrashTotals> {
    const { folder, destination, rounds, readerArgs = [], env, fault, report } = this.#options
    await this.#mounted()
    await mkdir(this.#root, { recursive: true })
    await this.#publish()
    const readerFolder = join(folder, 'reader')
    await using reader = await mountDestination(readerFolder, destination, {
      args: ['--refresh', '1', ...readerArgs],
      env: { HOME: folder, ...env },
    })
    await using watcher = watchPublished(
      join(reader.path, snapshotPath),
      this.#history,
      () => this.#isFaulty && fault?.blindsReaders === true,
    )
    for (let round = 1; round <= rounds; round++) {
      const how = await this.#round()
      await this.#check(watcher)
      report(
        `round ${round}: ${how}, ${this.#history.state.paths.size} names, ${this.#history.length} states, readers saw ${watcher.states}`,
      )
    }
    await this.#endFault()
    await this.#mounted()
    this.#history.settle(await readState(this.#root))
    if (!(await this.#publish())) throw new Error('the last state cannot be published')
    const { length } = this.#history
    await watcher.sees(length)
    await this.#check(watcher)
    Object.assign(this.#totals, { looks: watcher.looks, statesSeen: watcher.states })
    return this.#totals
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endFault()
    await this.#mount?.[Symbol.asyncDispose]()
  }

  get #root(): string {
    return join(this.#options.folder, 'mnt', snapshotPath)
  }

  /** One life of a daemon; resolves with how it ended. */
  async #round(): Promise<string> {
    const random = this.#random
    const mount = await this.#mounted()
    // A daemon that hangs would keep us, and whoever looks at the mount, for ever.
    using _watchdog = this.#watch(mount)
    this.#history.settle(await readState(this.#root))
    this.#isKilled = false
    const kill = (): void => {
      this.#isKilled = mount.daemon.kill('SIGKILL') || this.#isKilled
    }
    const fault = this.#faultFor(mount)
    const end = random.pick([
      'anywhere',
      'anywhere',
      'in a publish',
      'in a publish',
      'in an unmount',
    ] as const)
    // Counted in steps: a machine that is slow gets as far.
    for (let steps = random.logarithmic(1, 60); steps > 0; steps--)
      await this.#step(this.#workload.next(this.#history.state))
    setTimeout(kill, random.logarithmic(1, longestPauses[end])).unref()
    if (end === 'in an unmount') await this.#unmount()
    else if (end === 'in a publish') {
      await this.#step({ kind: 'sync-folder' })
      await Promise.race([delay(longestPauses[end]), mount.ended])
    } else while (!this.#isKilled) await this.#step(this.#workload.next(this.#history.state))
    await mount.ended
    await fault
    await Promise.allSettled(this.#syncs)
    this.#mount = undefined
    await run('umount', ['-l', '-c', '-i', mount.path])
    if (this.#hangs) throw new Error(`the daemon hung: ${await mount.log()}`)
    if (this.#isKilled) this.#totals.kills++
    return this.#isKilled ? `killed ${end}` : 'unmounted'
  }

  #watch(mount: MountedDestination): Disposable {
    const timer = setTimeout(() => {
      this.#hangs = true
      this.#isKilled = mount.daemon.kill('SIGKILL')
    }, longestRound)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  }

  /** Mounts, with the fault ended where that needs it. */
  async #mounted(): Promise<MountedDestination> {
    if (this.#mount !== undefined) return this.#mount
    const { fault } = this.#options
    if (fault?.keepsFromMounting) await this.#endFault()
    const mount = (): Promise<MountedDestination> => {
      const { folder, destination, stateDir, writerArgs = [], env } = this.#options
      const args = ['--read-write', '--state-dir', stateDir, '--refresh', '1', ...writerArgs]
      return mountDestination(folder, destination, { args, env: { HOME: folder, ...env } })
    }
    try {
      this.#mount = await mount()
    } catch (error) {
      if (!this.#isFaulty) throw error
      await this.#endFault()
      this.#mount = await mount()
    }
    return this.#mount
  }

  async #step(step: Step): Promise<void> {
    if (this.#isKilled) return
    this.#totals.steps++
    if (step.kind === 'pause') return void (await delay(step.milliseconds))
    const work: Promise<unknown> =
      step.kind === 'publish' ? this.#publish() : perform(this.#root, step, this.#history)
    const settled = work.catch((error: unknown) => this.#failed(error, step))
    // Who publishes does not keep others from going on.
    const isInTheWay = step.kind !== 'publish' && step.kind !== 'sync-folder'
    if (isInTheWay || this.#random.chance(0.5)) return void (await settled)
    this.#syncs.add(settled)
    void settled.catch(() => {}).finally(() => this.#syncs.delete(settled))
  }

  /** What fails under a fault has been done or not; without one nothing may fail. */
  async #failed(error: unknown, step: Step): Promise<void> {
    if (this.#isKilled) return
    const { fault } = this.#options
    this.#totals.failedSteps++
    // What closes a file may fail behind what was done with it.
    const first = error instanceof SuppressedError ? error.error : error
    if (fault === undefined || !fault.codes.includes(codeOf(first) ?? ''))
      throw new Error(`${step.kind} failed: ${messageOf(error)}`, { cause: error })
    if (step.kind === 'sync-file' || step.kind === 'sync-folder' || step.kind === 'publish') return
    if (fault.keepsFromMounting) await this.#endFault()
    const found = await readState(this.#root).catch((error: unknown) => {
      if (!this.#isKilled) throw error
    })
    // After a kill the next mount tells.
    if (found !== undefined) this.#history.settle(found)
  }

  /** False: it failed, as it may under a fault, or in a daemon that is killed. */
  async #publish(): Promise<boolean> {
    const { length } = this.#history
    const { folder, fault } = this.#options
    const { code, stderr } = await runJbfs(['publish', join(folder, 'mnt')], { env: { HOME: folder } })
    if (code === 0) {
      this.#history.published(length)
      this.#totals.publishes++
    } else if (!this.#isKilled && fault === undefined) throw new Error(`jbfs publish: ${stderr}`)
    return code === 0
  }

  async #unmount(): Promise<void> {
    const { length } = this.#history
    const { folder, fault } = this.#options
    await Promise.allSettled(this.#syncs)
    const { code, stderr } = await runJbfs(['umount', join(folder, 'mnt')], { env: { HOME: folder } })
    if (code === 0 && !this.#isKilled) {
      this.#history.published(length)
      this.#totals.unmounts++
    } else if (!this.#isKilled && fault === undefined) throw new Error(`jbfs umount: ${stderr}`)
  }

  /** Begins the fault at some moment of a round, and mostly ends it. */
  async #faultFor(mount: MountedDestination): Promise<void> {
    const { fault } = this.#options
    const random = this.#random
    if (fault === undefined || random.chance(0.3)) return
    const [pause, lasting] = [random.logarithmic(10, 1_000), random.logarithmic(50, 4_000)]
    const staysOn = random.chance(0.2)
    await Promise.race([delay(pause), mount.ended])
    this.#isFaulty = true
    await fault.begin(random)
    await Promise.race([delay(lasting), mount.ended])
    if (!staysOn) await this.#endFault()
  }

  async #endFault(): Promise<void> {
    await this.#options.fault?.end()
    this.#isFaulty = false
  }

  /** What is published now is whole, and at least what was acknowledged; and what readers have seen all the while was. */
  async #check(watcher: Watcher): Promise<void> {
    const { fault, folder, store } = this.#options
    if (fault?.blindsReaders) await this.#endFault()
    const cacheDir = join(folder, 'fresh-cache')
    const state = await publishedState(store, { repository, number, cacheDir })
    this.#history.numberOf(state, this.#history.leastAt(performance.now(), 0))
    if (watcher.faults.length > 0) throw new Error(`a reader: ${watcher.faults.join('\n')}`)
  }
}

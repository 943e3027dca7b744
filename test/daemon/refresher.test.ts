import test from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { announceChange } from '../../src/daemon/announce-change.ts'
import { startRefresher } from '../../src/daemon/refresher.ts'

const turn = (): Promise<void> => new Promise(setImmediate)

test.serial(
  'SIGHUP during a refresh has everything looked at once more, however often it comes',
  async (t) => {
    const rounds: { all: boolean; end(): void }[] = []
    const tree = {
      refresh: ({ all }: { all: boolean }) =>
        new Promise<void>((resolve) => rounds.push({ all, end: () => resolve() })),
    }
    using _refresher = startRefresher({ tree, interval: 0, logger: silentLogger })
    process.emit('SIGHUP')
    await turn()
    for (let i = 0; i < 3; i++) process.emit('SIGHUP')
    await turn()
    t.deepEqual(
      rounds.map(({ all }) => all),
      [true],
    )
    rounds[0]?.end()
    await turn()
    t.is(rounds.length, 2)
    rounds[1]?.end()
    await turn()
    t.is(rounds.length, 2)
  },
)

test.serial('a refresh that fails is a warning, and the next one comes all the same', async (t) => {
  const warnings: string[] = []
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) }
  let rounds = 0
  const tree = {
    refresh: () => {
      rounds++
      return Promise.reject(new Error('no'))
    },
  }
  using _refresher = startRefresher({ tree, interval: 0, logger })
  process.emit('SIGHUP')
  await turn()
  process.emit('SIGHUP')
  await turn()
  t.is(rounds, 2)
  t.is(warnings.length, 2)
})

test.serial('at an interval only what was looked into is looked at', async (t) => {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const tree = { refresh: async ({ all }: { all: boolean }) => resolve(all) }
  using _refresher = startRefresher({ tree, interval: 0.01, logger: silentLogger })
  const alive = setInterval(() => {}, 1000)
  t.false(await promise)
  clearInterval(alive)
})

test('the kernel is told of each name, then of the folder; a failure is no more than a warning', async (t) => {
  const told: unknown[] = []
  const mount = {
    invalidateEntry: async (...of: [number, string]) => told.push(of) > 0,
    invalidateInode: async (folder: number) => {
      told.push(folder)
      throw new Error('no')
    },
  }
  const logged: unknown[] = []
  const log = (fields: object): void => void logged.push(fields)
  const logger = { ...silentLogger, info: log, warn: log }
  await announceChange({ folder: 3, names: ['snap.1', 'caf\xe9'] }, mount, logger)
  t.deepEqual(told, [[3, 'snap.1'], [3, 'caf\xe9'], 3])
  t.deepEqual(logged, [{ names: ['snap.1', 'caf\\xe9'] }, { error: 'no' }])
})

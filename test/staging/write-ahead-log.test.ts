import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test, { type ExecutionContext } from 'ava'
import { silentLogger } from '../../src/base/log.ts'
import { checkpointThread, WriteAheadLog } from '../../src/staging/write-ahead-log.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'
import { addFile, name, staging } from './working.ts'

const page = 4096

interface Written extends AsyncDisposable {
  readonly warnings: string[]
  /** Bytes. */
  readonly size: number
  readonly logSize: number
  /** So many commits, and then what comes of them. */
  commit(count: number): Promise<void>
  /** Of the log: the database stays open. */
  end(): Promise<void>
}

async function written(
  t: ExecutionContext,
  limits: { commits: number; pages: number },
  isGone = false,
): Promise<Written> {
  const path = join(await temporaryFolder(t), 'database')
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE text (text)')
  const warnings: string[] = []
  const logger = { ...silentLogger, warn: (_: unknown, message: string) => void warnings.push(message) }
  const thread = checkpointThread()
  const log = new WriteAheadLog(database, { path: isGone ? `${path}.gone` : path, thread, logger }, limits)
  return {
    warnings,
    get size() {
      return statSync(path).size
    },
    get logSize() {
      return statSync(`${path}-wal`).size
    },
    async commit(count) {
      const insert = database.prepare('INSERT INTO text VALUES (hex(randomblob(1000)))')
      for (let i = 0; i < count; i++) {
        insert.run()
        log.committed()
      }
      await log.carried()
    },
    end: () => log[Symbol.asyncDispose](),
    async [Symbol.asyncDispose]() {
      database.close()
      await thread[Symbol.asyncDispose]()
    },
  }
}

test('a database has what its log holds after so many commits, and not before', async (t) => {
  await using database = await written(t, { commits: 10, pages: 1000 })
  const empty = database.size
  await database.commit(9)
  t.is(database.size, empty)
  await database.commit(1)
  t.true(database.size > empty)
  t.deepEqual(database.warnings, [])
})

test('a log of which something is always left begins anew when it is too long', async (t) => {
  await using database = await written(t, { commits: 10, pages: 100 })
  // The thread has its turn while there is more.
  for (let round = 0; round < 50; round++) await database.commit(15)
  t.true(database.size > 300 * page)
  t.true(database.logSize < 250 * page)
})

test('what the thread cannot carry over is carried over in place, with a warning', async (t) => {
  await using database = await written(t, { commits: 10, pages: 1000 }, true)
  const empty = database.size
  await database.commit(10)
  t.true(database.size > empty)
  t.deepEqual(database.warnings, ['a log could not be carried over'])
})

test('a log that has ended does not go to the database any more', async (t) => {
  await using database = await written(t, { commits: 10, pages: 1000 })
  const empty = database.size
  await database.end()
  await database.commit(10)
  t.is(database.size, empty)
})

test('what the thread is carrying over is there after a crash', async (t) => {
  const { begin, recover } = await staging(t)
  const { tree } = begin()
  for (let i = 0; i < 2000; i++) {
    addFile(tree, `file ${i}`)
    // The thread is at work meanwhile.
    if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const again = await recover()
  t.is([...(again?.tree.entries(tree.root, 0) ?? [])].length, 2000)
  t.truthy(again?.tree.lookup(tree.root, name('file 1999')))
})

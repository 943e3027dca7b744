import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestFn } from 'ava'
import { startLogging } from '../../src/daemon/logging.ts'
import { readableLine } from '../../src/daemon/readable-log.ts'

const it = test as TestFn<{ folder: string }>

it.beforeEach((t) => {
  t.context = { folder: mkdtempSync(join(tmpdir(), 'jbfs-log-')) }
})
it.afterEach.always((t) => rmSync(t.context.folder, { recursive: true, force: true }))

it('a log file has one JSON object a line, and is for its user alone', (t) => {
  const file = join(t.context.folder, 'a/b/mount.log')
  const { logger } = startLogging({ level: 'info', file })
  logger.debug({}, 'not shown')
  logger.warn({ key: 'files/1' }, 'an object is damaged')
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  t.is(lines.length, 1)
  t.like(JSON.parse(lines[0] as string), { level: 'warn', key: 'files/1', msg: 'an object is damaged' })
  t.is(statSync(file).mode & 0o077, 0)
})

it('after rotation it goes on in a new file under the old name', (t) => {
  const file = join(t.context.folder, 'mount.log')
  const { logger, reopen } = startLogging({ level: 'info', file })
  logger.info({}, 'before')
  renameSync(file, `${file}.1`)
  reopen()
  logger.info({}, 'after')
  t.regex(readFileSync(`${file}.1`, 'utf8'), /before/)
  t.regex(readFileSync(file, 'utf8'), /after/)
})

it('a log that cannot be written is one line that says what to change', (t) => {
  const blocker = join(t.context.folder, 'file')
  writeFileSync(blocker, '')
  t.throws(() => startLogging({ level: 'info', file: join(blocker, 'x.log') }), {
    code: 'bad-option',
    message: /cannot write the log: .*--log-file/,
  })
})

it('on a terminal a line is for people', (t) => {
  const line = JSON.stringify({ level: 'warn', time: '2026-01-02T03:04:05Z', key: 'a', count: 2, msg: 'hm' })
  t.regex(readableLine(line), /^\d\d:\d\d:05 warn hm key="a" count=2\n$/)
})

import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { JbfsError } from '../../src/base/errors.ts'
import { ChangeError } from '../../src/snapshot/errors.ts'
import { stagingFault } from '../../src/staging/staging-fault.ts'
import { StoreError } from '../../src/store/errors.ts'

const coded = (members: object): Error => Object.assign(new Error('as the system has it'), members)

const faults: readonly (readonly [error: Error, code: string])[] = [
  [coded({ code: 'ENOSPC' }), 'staging-full'],
  [coded({ code: 'EDQUOT' }), 'staging-full'],
  [coded({ code: 'ERR_SQLITE_ERROR', errcode: 13 }), 'staging-full'],
  [coded({ code: 'ERR_SQLITE_ERROR', errcode: 4874 }), 'staging-full'],
  [coded({ code: 'ERR_SQLITE_ERROR', errcode: 10 }), 'staging-failed'],
  [coded({ code: 'EIO' }), 'staging-failed'],
  [new JbfsError('errno-999', 'unknown error'), 'staging-failed'],
  [new JbfsError('EFBIG', 'too large'), 'too-large'],
  [new JbfsError('ENOTSUP', 'no holes'), 'not-possible'],
  [new JbfsError('no-koffi', 'no koffi'), 'not-possible'],
]

for (const [error, code] of faults)
  test(`${JSON.stringify(error)} is ${code}`, (t) => {
    const fault = stagingFault(error)
    t.true(fault instanceof ChangeError)
    t.like(fault, { code, cause: error })
  })

test('what is no fault of the state folder stays as it is', (t) => {
  for (const error of [
    new ChangeError('name-taken'),
    new StoreError('unavailable', 'no store today'),
    new TypeError('x is not a function'),
    'a text',
    undefined,
    null,
  ])
    t.is(stagingFault(error), error)
})

test('SQLite itself is understood', (t) => {
  using database = new DatabaseSync(':memory:')
  const fault = t.throws(() => {
    try {
      database.exec('SELECT * FROM nothing')
    } catch (error) {
      throw stagingFault(error)
    }
  })
  t.like(fault, { code: 'staging-failed' })
})

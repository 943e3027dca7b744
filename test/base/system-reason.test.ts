import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { JbfsError } from '../../src/base/errors.ts'
import { systemReason, systemReasonAt } from '../../src/base/system-reason.ts'

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

test('what the system says is told in plain words, with the path or without', (t) => {
  const error = thrownBy(() => readFileSync('/no/such'))
  t.is(systemReason(error), 'there is no such file or folder')
  t.is(systemReasonAt(error), '/no/such: there is no such file or folder')
  t.is(systemReason(thrownBy(() => readdirSync('/dev/null'))), 'a part of the path is a file and no folder')
  t.is(systemReason(thrownBy(() => mkdirSync('/proc'))), 'it exists already')
})

test('a code without words of its own keeps those of the system, and loses the path', (t) => {
  const error = Object.assign(new Error("EBUSY: resource busy or locked, rmdir '/a, b'"), {
    code: 'EBUSY',
    syscall: 'rmdir',
    path: '/a, b',
  })
  t.is(systemReason(error), 'resource busy or locked')
  t.is(systemReasonAt(error), '/a, b: resource busy or locked')
})

test('other errors keep their text', (t) => {
  t.is(systemReason(new JbfsError('ENOENT', 'of our own')), 'of our own')
  t.is(systemReasonAt('thrown'), 'thrown')
})

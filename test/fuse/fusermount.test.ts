import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { fusermountProgram, mountWithFusermount } from '../../src/fuse/fusermount.ts'

function folderWith(t: ExecutionContext, name: string, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'jbfs-fusermount-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(folder, name), 0o755)
  mkdirSync(join(folder, 'empty'))
  return folder
}

/** Runs with another search path for programs. */
function withPath<T>(folder: string, work: () => T): T {
  const before = process.env.PATH
  process.env.PATH = `${folder}:${before}`
  try {
    return work()
  } finally {
    process.env.PATH = before
  }
}

test('fusermount of libfuse 2 stands in where there is no fusermount3', (t) => {
  const folder = folderWith(t, 'fusermount3', '')
  t.is(fusermountProgram(`${folder}/empty:${folder}`), 'fusermount3')
  t.is(fusermountProgram(`${folder}/empty`), 'fusermount')
})

test('a fusermount3 that succeeds without sending a descriptor is an error, not a wait', (t) => {
  const folder = folderWith(t, 'fusermount3', 'exit 0')
  t.throws(() => withPath(folder, () => mountWithFusermount('/nonexistent', 'ro')), { code: 'no-descriptor' })
})

test('what fusermount3 complains of is one line', (t) => {
  const folder = folderWith(t, 'fusermount3', 'printf "first\\n second\\n" >&2; exit 1')
  t.throws(() => withPath(folder, () => mountWithFusermount('/nonexistent', 'ro')), {
    code: 'refused',
    message: 'cannot mount at /nonexistent: first · second',
  })
})

test('a user who has no right to /dev/fuse is told what to do', (t) => {
  // As fusermount3 3.14 says it.
  const folder = folderWith(
    t,
    'fusermount3',
    'echo "fusermount3: failed to open /dev/fuse: Permission denied" >&2; exit 1',
  )
  t.throws(() => withPath(folder, () => mountWithFusermount('/nonexistent', 'ro')), {
    code: 'no-fuse',
    message: /^cannot open \/dev\/fuse: no permission: run this as root, or allow it to this user \(/,
  })
})

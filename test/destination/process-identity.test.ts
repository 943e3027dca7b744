import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { isProcessGone, processIdentity } from '../../src/destination/process-identity.ts'

test('a process that has ended is gone, also where nobody asks for its end', async (t) => {
  // A shell that becomes a program which knows of no children.
  const parent = spawn('/bin/sh', ['-c', 'sleep 1 & echo $!; exec sleep 30'])
  try {
    const [line] = (await parent.stdout[Symbol.asyncIterator]().next()).value.toString().split('\n')
    const pid = Number(line)
    const identity = processIdentity(pid) as string
    t.false(isProcessGone(pid, identity))
    while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) await delay(50)
    t.true(isProcessGone(pid, identity))
  } finally {
    parent.kill('SIGKILL')
  }
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'

const source = join(import.meta.dirname, '../../src/cli/interruption.ts')

/** A command that never comes to an end, and says when it is interrupted. */
const endless = `
  const { interruption } = await import(${JSON.stringify(source)})
  const { signal } = interruption()
  signal.addEventListener('abort', () => console.log(signal.reason.code))
  setInterval(() => {}, 1000)
  console.log('ready')
`

for (const [signal, code] of [
  ['SIGINT', 'interrupted'],
  ['SIGTERM', 'terminated'],
] as const)
  test(`the first ${signal} interrupts a command, its echo does nothing, and the second ends it`, async (t) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', endless], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(child, 'close')
    const heard = async (): Promise<string> => String((await once(child.stdout, 'data'))[0]).trim()
    try {
      t.is(await heard(), 'ready')
      child.kill(signal)
      t.is(await heard(), code)
      child.kill(signal)
      t.is(await Promise.race([ended, delay(1_100)]), undefined)
      child.kill(signal)
      t.deepEqual(await Promise.race([ended, delay(10_000)]), [null, signal])
    } finally {
      child.kill('SIGKILL')
    }
  })

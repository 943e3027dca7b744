import test from 'ava'
import { AnsweringThread } from '../../src/base/answering-thread.ts'
import { run } from '../support/run.ts'

const echo = `import { parentPort } from 'node:worker_threads'
parentPort.on('message', (asked) => parentPort.postMessage(asked))`

const echoUrl = `data:text/javascript,${encodeURIComponent(echo)}`

test('its end is waited for, though an answer comes behind it', async (t) => {
  const program = `import { AnsweringThread } from '${new URL('../../src/base/answering-thread.ts', import.meta.url)}'
    const thread = new AnsweringThread(new URL(${JSON.stringify(echoUrl)}))
    await thread.ask('first')
    thread.ask('second').catch(() => {})
    // The answer is there, and nobody has heard it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
    await thread.end(new Error('over'))
    console.log('ended')`
  const { code, stdout } = await run(process.execPath, ['--input-type=module', '--eval', program])
  t.is(stdout.toString(), 'ended\n')
  t.is(code, 0)
})

test('what cannot be sent takes the answer of nobody else', async (t) => {
  await using thread = new AnsweringThread<unknown, unknown>(new URL(echoUrl))
  await t.throwsAsync(
    thread.ask(() => {}),
    { name: 'DataCloneError' },
  )
  const waited = new Promise((resolve) => setTimeout(resolve, 2000, 'nothing'))
  t.is(await Promise.race([thread.ask('next'), waited]), 'next')
})

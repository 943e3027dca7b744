import test from 'ava'
import { AnsweringThread } from '../../src/base/answering-thread.ts'

const echo = `import { parentPort } from 'node:worker_threads'
parentPort.on('message', (asked) => parentPort.postMessage(asked))`

test('what cannot be sent takes the answer of nobody else', async (t) => {
  await using thread = new AnsweringThread<unknown, unknown>(
    new URL(`data:text/javascript,${encodeURIComponent(echo)}`),
  )
  await t.throwsAsync(
    thread.ask(() => {}),
    { name: 'DataCloneError' },
  )
  const waited = new Promise((resolve) => setTimeout(resolve, 2000, 'nothing'))
  t.is(await Promise.race([thread.ask('next'), waited]), 'next')
})

import test from 'ava'
import { workerUrl } from '../../src/base/worker-url.ts'

test('a worker has the ending of the module that starts it', (t) => {
  t.is(workerUrl('./work', 'file:///a/src/x/start.ts').href, 'file:///a/src/x/work.ts')
  t.is(workerUrl('./work', 'file:///a/dist/x/start.js').href, 'file:///a/dist/x/work.js')
})

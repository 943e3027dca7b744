import { join } from 'node:path'
import test from 'ava'
import { publishAndWait } from '../../src/cli/publish-and-wait.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'

test('whether a daemon that has just ended had published all is not known', async (t) => {
  await t.throwsAsync(publishAndWait(join(await temporaryFolder(t), 'none.sock')), {
    code: 'not-published',
    message:
      'cannot tell whether all that was written is published: the daemon does not answer: it has ended; jbfs status shows what is left',
  })
})

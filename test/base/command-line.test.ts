import test from 'ava'
import { flag, shellWord } from '../../src/base/command-line.ts'
import { output } from '../support/run.ts'

test('a word that is copied from a message is the same word to a shell', async (t) => {
  for (const word of ['/srv/web', 's3://bucket/a b', "it's", '$HOME', '', 'a"b', '*', 'é'])
    t.is(Buffer.from(await output('sh', ['-c', `printf %s ${shellWord(word)}`]), 'latin1').toString(), word)
  t.is(shellWord('s3://bucket/web-1'), 's3://bucket/web-1', 'no quotes where none are needed')
})

test('an option without a value is none', (t) => {
  t.deepEqual([...flag('region', 'here'), ...flag('endpoint', undefined)], ['--region=here'])
})

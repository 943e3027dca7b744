import { inspect } from 'node:util'
import test from 'ava'
import { Secret } from '../../src/base/secret.ts'

test('a secret is seen only by whoever asks for it', (t) => {
  const secret = new Secret('open sesame')
  const shown = [
    `${secret}`,
    String(secret),
    JSON.stringify({ secret }),
    inspect({ secret }),
    inspect(secret),
  ]
  for (const text of shown) {
    t.true(text.includes('[redacted]'), text)
    t.false(text.includes('sesame'))
  }
  t.deepEqual(Object.keys(secret), [])
  t.is(secret.reveal(), 'open sesame')
})

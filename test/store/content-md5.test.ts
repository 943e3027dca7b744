import { hash } from 'node:crypto'
import test from 'ava'
import { askForAll, startRecordingServer } from '../support/recording-server.ts'

test('of all checksums that the SDK knows, only Content-MD5 is sent, and only where one is demanded', async (t) => {
  await using server = await startRecordingServer(['s3.example.com'])
  const place = { bucket: 'backups', endpoint: 'https://s3.example.com', region: 'us-east-1' }
  const requests = await askForAll(server, { ...place, addressing: 'path' })
  t.is(requests.length, 6)
  for (const { method, headers, body } of requests) {
    const names = Object.keys(headers).filter((name) => /checksum|md5|trailer|content-encoding/.test(name))
    t.deepEqual(names, method === 'POST' ? ['content-md5'] : [])
    if (method !== 'POST') continue
    t.is(headers['content-md5'], hash('md5', body, 'base64'))
    t.regex(String(headers.authorization), /SignedHeaders=[^,]*content-md5/)
  }
})

import test from 'ava'
import { isSafeLine } from '../../src/store/safe-line.ts'

for (const name of ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy', 'NO_PROXY', 'no_proxy'])
  delete process.env[name]

function isSafe(endpoint: string, verifyTls = true): boolean {
  const { protocol, hostname } = new URL(endpoint)
  const route = {
    isTls: protocol === 'https:',
    hostname,
    port: undefined,
    basePath: '/bucket/',
    server: hostname,
  }
  return isSafeLine(route, { endpoint, region: 'us-east-1', verifyTls })
}

test.serial('a line is safe by TLS that is verified, and where there is none', (t) => {
  for (const endpoint of [
    'https://s3.test',
    'http://127.0.0.1',
    'http://127.8.0.1',
    'http://[::1]',
    'http://localhost',
  ])
    t.true(isSafe(endpoint), endpoint)
  for (const endpoint of [
    'http://s3.test',
    'http://10.0.0.1',
    'http://[fe80::1]',
    'http://128.0.0.1',
    'http://localhost.s3.test',
  ])
    t.false(isSafe(endpoint), endpoint)
  t.false(isSafe('https://s3.test', false), 'whose certificate nobody looks at')
})

test.serial('behind a proxy only TLS is safe', (t) => {
  process.env.HTTP_PROXY = 'http://proxy.test:3128'
  process.env.HTTPS_PROXY = 'http://proxy.test:3128'
  t.false(isSafe('http://127.0.0.1'))
  t.true(isSafe('https://s3.test'))
})

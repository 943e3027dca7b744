import { join } from 'node:path'
import test from 'ava'
import { temporaryFolder } from '../support/mounted.ts'
import { output } from '../support/run.ts'

const module = new URL('../../src/base/compile-cache.ts', import.meta.url).href

/** What a process with this environment gives to those that it starts. */
async function givenBy(env: Record<string, string>): Promise<unknown> {
  const program = `import('${module}').then(({ onlyCompileCache }) => console.log(JSON.stringify(onlyCompileCache())))`
  return JSON.parse(await output('/usr/bin/env', ['-i', ...pairs(env), process.execPath, '-e', program]))
}

function pairs(env: Record<string, string>): string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`)
}

test('of all that is in the environment only the compile cache is handed on, as it came', async (t) => {
  await using folder = await temporaryFolder()
  const cache = { NODE_COMPILE_CACHE: join(folder.path, 'cache') }
  t.deepEqual(await givenBy({ ...cache, AWS_SECRET_ACCESS_KEY: 'secret' }), cache)
  t.deepEqual(await givenBy({ AWS_SECRET_ACCESS_KEY: 'secret' }), {})
})

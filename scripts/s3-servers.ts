/**
 * Builds the S3 servers that the tests run against, at the versions pinned here, into node_modules/.cache; does nothing when they are there.
 * Run by `sh scripts/setup.sh --test`. Without Go it says so and leaves it: those tests are then skipped aloud.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { s3Servers, serverBinary } from '../test/support/s3-servers.ts'

if (process.env.JBFS_TEST_S3_ENDPOINT !== undefined)
  console.log('s3-servers: JBFS_TEST_S3_ENDPOINT is used instead')
else if (spawnSync('go', ['version']).status !== 0)
  console.log('s3-servers: Go is not installed, so the tests against S3 will be skipped')
else
  for (const [name, { module }] of Object.entries(s3Servers)) {
    const binary = serverBinary(name)
    if (existsSync(binary)) continue
    console.log(`s3-servers: go install ${module} (takes a few minutes once)`)
    const folder = join(binary, '..')
    mkdirSync(folder, { recursive: true })
    const built = spawnSync('go', ['install', module], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, GOBIN: folder, CGO_ENABLED: '0' },
    })
    if (built.status !== 0) console.log(`s3-servers: ${name} could not be built; its tests will be skipped`)
    else renameSync(join(folder, name), binary)
  }

/** Makes dist/, what the npm package ships: Node.js does not run TypeScript under node_modules. Run by `npm run build` and `npm pack`. */
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
rmSync(join(root, 'dist'), { recursive: true, force: true })
const tsc = spawnSync(
  join(root, 'node_modules/.bin/tsc'),
  ['--project', join(root, 'scripts/tsconfig.build.json')],
  { stdio: 'inherit' },
)
if (tsc.error) throw tsc.error
process.exitCode = tsc.status ?? 1

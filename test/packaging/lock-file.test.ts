import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'

interface LockedPackage {
  readonly version?: string
  readonly resolved?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const lock: { readonly packages: Readonly<Record<string, LockedPackage>> } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8'),
)
const locked = Object.entries(lock.packages).filter(([path]) => path !== '')

test('the lock file has the packages of all platforms', (t) => {
  // npm leaves out those that the registry in use does not have, and `npm ci` then refuses the file.
  const missing = Object.values(lock.packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter(
      (name) => !locked.some(([path]) => path.endsWith(`node_modules/${name}`)),
    ),
  )
  t.deepEqual(missing, [])
})

test('the lock file names no registry', (t) => {
  t.deepEqual(
    locked.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path),
    [],
  )
})

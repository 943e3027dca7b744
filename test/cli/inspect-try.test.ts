import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { layoutMappings } from '../foreign/layout-mappings.ts'
import { foreignObjects, foreignRepository, writeObjects } from '../support/foreign/foreign-destination.ts'
import { foreignLayouts } from '../support/foreign/layouts.ts'
import { temporaryFolder } from '../support/mounted.ts'
import { runJbfs, type TextResult } from '../support/run-jbfs.ts'

interface Prepared extends AsyncDisposable {
  readonly repository: string
  trial(mapping: string, ...args: readonly string[]): Promise<TextResult>
}

async function prepare(layoutName: string): Promise<Prepared> {
  const folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  const layout = foreignLayouts.find(({ name }) => name === layoutName)!
  writeObjects(destination, foreignObjects(layout, folder.path))
  const repository = join(destination, foreignRepository)
  const file = join(folder.path, 'mapping.toml')
  return {
    repository,
    trial(mapping, ...args) {
      writeFileSync(file, mapping)
      const place = [join(repository, 'snap.3'), '--try', file, '--cache-dir', join(folder.path, 'cache')]
      return runJbfs(['inspect', ...place, ...args])
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

test('a mapping that fits shows its tree, and how to mount with it', async (t) => {
  await using prepared = await prepare('numeric')
  const { code, stdout, stderr } = await prepared.trial(layoutMappings.numeric!)
  t.is(code, 0, stdout + stderr)
  t.regex(stdout, /^snap\.3: \d+ rows make \d+ files and \d+ folders, /)
  t.regex(stdout, /^100600 +\d+ B +2022-04-15 .* +config\/cp\/acme$/m)
  t.regex(stdout, /^objects: (\d+) of \1 are there as the rows say; 12 were read$/m)
  t.regex(stdout, /^Nothing is wrong with it\. jbfs mount .* MOUNTPOINT --mapping .*mapping\.toml$/m)
})

test('what does not fit is told', async (t) => {
  await using prepared = await prepare('parents')
  const files = join(prepared.repository, 'files')
  // The first one is of a file that has no place.
  const [, missing, shorter] = readdirSync(files) as [string, string, string]
  rmSync(join(files, missing))
  writeFileSync(join(files, shorter), '')
  const mapping = layoutMappings.parents!.replace('"parent_id"', `"iif(name = 'cp', 99999, parent_id)"`)
  const { code, stdout } = await prepared.trial(mapping)
  t.is(code, 5)
  t.regex(stdout, /^- rows whose parent is missing: 1\n {4}cp in 99999$/m)
  t.regex(stdout, /^- rows whose parents go round in a circle, or are left out: \d+$/m)
  t.regex(stdout, new RegExp(`^- objects that are missing: 1\n {4}files/${missing}$`, 'm'))
  t.regex(stdout, new RegExp(`^- objects with another size .*: 1\n {4}files/${shorter}$`, 'm'))
  t.notRegex(stdout, /jbfs mount/)
})

test('objects that are packed in another way than the mapping says are found', async (t) => {
  await using packed = await prepare('manifest')
  const asPlain = await packed.trial(layoutMappings.manifest!.replace(/encoding.*\n/, ''), '--json')
  t.is(asPlain.code, 5)
  t.true(JSON.parse(asPlain.stdout).objects.wrongSize.count > 0)
  await using plain = await prepare('paths')
  const asPacked = await plain.trial(`${layoutMappings.paths}encoding = "'gzip'"\n`, '--json')
  t.is(asPacked.code, 5)
  t.is(JSON.parse(asPacked.stdout).objects.altered.count, 12)
})

test('a mapping whose SQL the database does not understand is refused with its reason', async (t) => {
  await using prepared = await prepare('paths')
  const { code, stderr } = await prepared.trial(layoutMappings.paths!.replace('"size"', '"sizes"'))
  t.not(code, 0)
  t.regex(stderr, /no such column: sizes/)
})

test('rows that are not understood are named by their paths, also where those are bytes', async (t) => {
  await using prepared = await prepare('paths')
  const mapping = layoutMappings
    .paths!.replace('"path"', '"CAST(path AS BLOB)"')
    .replace('"size"', '"size - 1"')
  const { stdout } = await prepared.trial(mapping)
  t.regex(stdout, /^ {4}database\/acme_old\.sql: size is -1/m)
})

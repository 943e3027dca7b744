import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { layoutMappings } from '../foreign/layout-mappings.ts'
import { foreignObjects, foreignRepository, writeObjects } from '../support/foreign/foreign-destination.ts'
import { foreignLayouts } from '../support/foreign/layouts.ts'
import { temporaryFolder } from '../support/mounted.ts'
import { runJbfs, type TextResult } from '../support/run-jbfs.ts'

interface Prepared extends AsyncDisposable {
  /** Of the objects of the repository, in the order of their names. */
  readonly objects: readonly string[]
  check(): Promise<TextResult>
  snapshots(): Promise<TextResult>
}

/** A destination of this layout, and its mapping. */
async function prepare(layoutName: string, mapping = layoutMappings[layoutName] ?? ''): Promise<Prepared> {
  const folder = await temporaryFolder()
  const destination = join(folder.path, 'destination')
  const layout = foreignLayouts.find(({ name }) => name === layoutName)!
  writeObjects(destination, foreignObjects(layout, folder.path))
  const file = join(folder.path, 'mapping.toml')
  writeFileSync(file, mapping)
  const repository = join(destination, foreignRepository)
  const folders = readdirSync(repository).filter((name) => name.startsWith('files'))
  const objects = folders.flatMap((name) =>
    readdirSync(join(repository, name)).map((object) => join(repository, name, object)),
  )
  return {
    objects,
    check: () => runJbfs(['check', destination, '--mapping', file, '--read-data=100', '--json']),
    snapshots: () => runJbfs(['snapshots', destination, '--mapping', file, '--json']),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

function kindsIn({ stdout }: TextResult): string[] {
  return (JSON.parse(stdout).problems as { kind: string }[]).map(({ kind }) => kind).sort()
}

for (const name of ['numeric', 'shared'])
  test(`a destination of the layout ${name} is in order, and what is wrong with its objects is found`, async (t) => {
    await using prepared = await prepare(name)
    const before = await prepared.check()
    t.is(before.code, 0, before.stdout + before.stderr)
    t.like(JSON.parse(before.stdout).repositories[0], {
      snapshots: ['snap.3', 'snap.4'],
      foreign: [],
      // That of an empty file is not needed.
      unaccounted: { count: 1 },
      objects: { count: prepared.objects.length - 1 },
      read: { count: prepared.objects.length - 1 },
    })

    const [missing, other] = prepared.objects as [string, string]
    rmSync(missing)
    writeFileSync(other, name === 'numeric' ? gzipSync('something else') : 'something else')
    const after = await prepared.check()
    t.is(after.code, 5)
    t.deepEqual(kindsIn(after), ['missing', name === 'numeric' ? 'altered' : 'wrong-size'].sort())
  })

test('rows that a mapping leaves out are problems', async (t) => {
  await using prepared = await prepare('paths', layoutMappings.paths?.replace('"size"', '"-1"'))
  const { code, stdout } = await prepared.check()
  t.is(code, 5)
  t.deepEqual(kindsIn({ code, stdout, stderr: '' }), ['left-out', 'left-out'])
  t.regex(stdout, /snap\.3: rows that are not understood: \d+, such as .* size is -1/)
})

test('a list of snapshots says which are shown by a mapping', async (t) => {
  await using prepared = await prepare('paths')
  const { code, stdout } = await prepared.snapshots()
  t.is(code, 0)
  const rows = JSON.parse(stdout) as { snapshot: string; state: string; reason: string | null }[]
  t.deepEqual(
    rows.map(({ snapshot, state, reason }) => [snapshot, state, reason]),
    [
      ['snap.3', 'mapped', null],
      ['snap.4', 'mapped', null],
    ],
  )
})

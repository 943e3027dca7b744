import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { objectKey } from '../../src/store/object-store.ts'
import {
  foreignObjects,
  foreignRepository,
  foreignSnapshots,
  sourceOf,
} from '../support/foreign/foreign-destination.ts'
import type { ForeignObject } from '../support/foreign/layout.ts'
import { foreignLayouts } from '../support/foreign/layouts.ts'
import { type MountedDestination, mountDestination, whyNoMounts } from '../support/mounted.ts'
import { type Place, placesTest } from '../support/places.ts'
import { keysOf } from '../support/planted-destination.ts'
import { output } from '../support/run.ts'

/** Destinations that something else wrote, of which nobody has told how to read them: all layouts side by side, on a folder and on real S3 servers. */

interface Scene extends Place {
  readonly objects: readonly ForeignObject[]
  mount(...args: string[]): Promise<MountedDestination>
}

function foreignTest(title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>): void {
  const foreignPlace = async (t: ExecutionContext, place: Place): Promise<void> => {
    const { folder, destination, proxy, env } = place
    const objects: ForeignObject[] = []
    for (const layout of foreignLayouts) {
      const sources = join(folder, layout.name)
      await mkdir(sources)
      for (const { key, bytes } of foreignObjects(layout, sources))
        objects.push({ key: `${layout.name}/${key}`, bytes })
    }
    for (const { key, bytes } of objects) await place.store.put(objectKey(key), bytes)
    const endpoint = proxy === undefined ? [] : ['--endpoint', proxy.endpoint]
    await body(t, {
      ...place,
      objects,
      mount: (...args) => mountDestination(folder, destination, { args: [...endpoint, ...args], env }),
    })
    if (proxy === undefined) return
    t.true(proxy.requests.length > 0)
    const { GET: _gets, HEAD: _heads, LIST: _lists, ...others } = proxy.counts()
    t.deepEqual(others, { PUT: 0, POST: 0, DELETE: 0 }, 'what writes never reached the server')
  }
  placesTest(title, foreignPlace, whyNoMounts())
}

foreignTest('each snapshot shows its manifest, and what to do next', async (t, scene) => {
  await using mount = await scene.mount()
  for (const { name } of foreignLayouts) {
    const repository = join(mount.path, name, foreignRepository)
    for (const number of foreignSnapshots) {
      const snapshot = join(repository, `snap.${number}`)
      t.deepEqual((await readdir(snapshot)).sort(), ['README.txt', 'jetbackup.index'], snapshot)
      const key = `${name}/${foreignRepository}snap.${number}/jetbackup.index`
      const manifest = scene.objects.find((object) => object.key === key)?.bytes
      t.true(manifest?.equals(await readFile(join(snapshot, 'jetbackup.index'))), key)

      const readme = await readFile(join(snapshot, 'README.txt'), 'utf8')
      const flags = scene.proxy === undefined ? '' : ` --endpoint=${scene.proxy.endpoint} --region=us-east-1`
      const place = `${scene.destination}/${name}/${foreignRepository}snap.${number}${flags}`
      for (const line of [
        `jbfs inspect ${place}`,
        `jbfs inspect ${place} --suggest > mapping.toml`,
        `jbfs inspect ${place} --try mapping.toml`,
        `jbfs mount ${scene.destination}${flags} MOUNTPOINT --raw`,
      ])
        t.true(readme.includes(`     ${line}\n`), line)
      t.true((await stat(join(snapshot, 'README.txt'))).mtimeMs > 1_600_000_000_000)
      await t.throwsAsync(writeFile(join(snapshot, 'README.txt'), 'x'), { code: 'EROFS' })
    }
  }
})

foreignTest('what lists and checks snapshots says that they are foreign', async (t, scene) => {
  const listed = await scene.jbfs('snapshots', '', '--json')
  t.is(listed.code, 0, listed.stderr)
  const states = (JSON.parse(listed.stdout) as { state: string }[]).map(({ state }) => state)
  t.deepEqual(new Set(states), new Set(['foreign']))
  t.is(states.length, foreignLayouts.length * foreignSnapshots.length)
  const checked = await scene.jbfs('check')
  t.regex(checked.stdout + checked.stderr, /not checkable, as jbfs did not write them/)
})

foreignTest(
  'it is only for reading, whatever is asked, and nothing is left there by whoever asks',
  async (t, scene) => {
    const mountpoint = join(scene.folder, 'none')
    await mkdir(mountpoint)
    const log = ['--log-file', join(scene.folder, 'log')]
    const mounting = await scene.jbfs('mount', '', mountpoint, '--read-write', ...log)
    t.is(mounting.code, 5, mounting.stderr)
    t.regex(mounting.stderr, /is only for reading, as jbfs did not write [^\n]*snap\.\d/)
    const collected = await scene.jbfs('gc', `/paths/${foreignRepository.slice(0, -1)}`)
    const imported = await scene.jbfs('import', '', '--help')
    t.is(imported.code, 0)
    t.not(collected.code, 0, collected.stdout)
    t.deepEqual(await keysOf(scene.store), scene.objects.map(({ key }) => key).sort())
  },
)

foreignTest('what is suggested for each layout mounts as the tree that was backed up', async (t, scene) => {
  for (const { name, keeps } of foreignLayouts) {
    const repository = `/${name}/${foreignRepository}`
    const cache = ['--cache-dir', join(scene.folder, 'cache')]
    const suggested = await scene.jbfs('inspect', `${repository}snap.4`, '--suggest', ...cache)
    t.is(suggested.code, 0, suggested.stderr)
    const mapping = join(scene.folder, `${name}.toml`)
    await writeFile(mapping, suggested.stdout)
    await using mount = await scene.mount('--mapping', mapping)
    for (const number of foreignSnapshots) {
      const snapshot = join(mount.path, repository, `snap.${number}`)
      const source = sourceOf(join(scene.folder, name), number)
      const differences = await differencesOf(source, snapshot)
      // Of the top folder nothing stands in their rows.
      t.deepEqual(
        differences.filter((line) => keeps.topFolder || !line.endsWith(' ./')),
        [],
        `${name}, ${number}`,
      )
    }
  }
})

foreignTest('what inspects it, tries a mapping and checks with one only reads', async (t, scene) => {
  const { name } = foreignLayouts[0]!
  const repository = `/${name}/${foreignRepository.slice(0, -1)}`
  const cache = ['--cache-dir', join(scene.folder, 'cache')]
  const run = async (command: string, ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await scene.jbfs(command, repository, ...args)
    t.is(code, 0, `${command} ${args.join(' ')}: ${stdout}${stderr}`)
    return stdout
  }
  t.regex(await run('inspect', ...cache), /not written by jbfs/)
  const mapping = join(scene.folder, 'mapping.toml')
  await writeFile(mapping, await run('inspect', '--suggest', ...cache))
  t.regex(await run('inspect', '--try', mapping, ...cache), /Nothing is wrong with it/)
  t.regex(await run('check', '--mapping', mapping, '--read-data'), /checked 2 snapshots/)
  t.deepEqual(await keysOf(scene.store), scene.objects.map(({ key }) => key).sort())
})

/** What rsync would change, of a snapshot that shows its manifest besides. */
async function differencesOf(source: string, snapshot: string): Promise<string[]> {
  // Its own attributes are known when it has been looked into, and not kept before.
  await stat(snapshot)
  await readdir(snapshot)
  const args = [
    '-aHAXni',
    '--checksum',
    '--delete',
    '--exclude=/jetbackup.index',
    `${source}/`,
    `${snapshot}/`,
  ]
  return (await output('rsync', args)).split('\n').filter((line) => line !== '')
}

foreignTest('--raw shows each key with its bytes', async (t, scene) => {
  await using mount = await scene.mount('--raw')
  const found = await output('find', ['.', '-type', 'f', '-printf', '%P\\n'], { cwd: mount.path })
  t.deepEqual(found.trim().split('\n').sort(), scene.objects.map(({ key }) => key).sort())
  const wrong: string[] = []
  for (const { key, bytes } of scene.objects)
    if (!bytes.equals(await readFile(join(mount.path, key)))) wrong.push(key)
  t.deepEqual(wrong, [])
})

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { fileKey, indexKey, manifestKey } from '../../src/destination/layout.ts'
import type { CatalogEntry } from '../../src/snapshot/catalog.ts'
import { publishSnapshot } from '../../src/snapshot/publish.ts'
import { type ObjectKey, type ObjectStore, objectKey } from '../../src/store/object-store.ts'
import { manifest, totals } from '../snapshot/publish-sample.ts'
import { fileInode, nameOf, writeTree } from '../snapshot/write-tree.ts'

/** An object id with the time `seconds` in it; `n` tells them apart. */
export function idAt(seconds: number, n: number): string {
  return [seconds, 0, n].map((field) => Math.floor(field).toString(16).padStart(8, '0')).join('')
}

/** 2022, as in the vendor's examples. */
export const oldTime = 0x6258c0a3

/** Contents by object id. */
export type Contents = Readonly<Record<string, string>>

let written = 0

/** Puts objects, and publishes a snapshot with a file for each of them; `over`: as a new state of that one. */
export async function publishContents(
  store: ObjectStore,
  folder: string,
  {
    repository,
    number,
    contents,
    over,
  }: { repository: string; number: number; contents: Contents; over?: CatalogEntry | undefined },
): Promise<void> {
  const indexPath = join(folder, `planted-${written++}`)
  writeTree(indexPath, (working) => {
    for (const [id, text] of Object.entries(contents)) {
      const sha256 = createHash('sha256').update(text).digest()
      working.addObject({ id, size: text.length, sha256 })
      working.addDentry(1, nameOf(id), working.addInode(fileInode({ size: text.length, object: id })))
    }
  })
  for (const [id, text] of Object.entries(contents))
    await store.put(fileKey(repository, id), Buffer.from(text))
  await publishSnapshot({
    store,
    repository,
    number,
    indexPath,
    manifest,
    totals,
    replaces: over?.manifestEtag,
    replacesIndex: over?.manifest?.jbfs?.index.key,
  })
}

/** The object ids of `plant`. */
export const planted = {
  shared: idAt(oldTime, 1),
  first: idAt(oldTime, 2),
  second: idAt(oldTime, 3),
  missing: idAt(oldTime, 4),
  truncated: idAt(oldTime, 5),
  altered: idAt(oldTime, 6),
  whole: idAt(oldTime, 7),
  oldOrphan: idAt(oldTime, 8),
  youngOrphan: idAt(Date.now() / 1000 - 3600, 9),
  futureOrphan: idAt(Date.now() / 1000 + 864_000, 10),
} as const

/** What is larger than what is got whole. */
const large = 'large '.repeat(300_000)

/**
 * A destination with a fault of each kind: `job/sound`, with orphans of three ages, an index without a snapshot and a key that is no object's; `job/broken`, with a missing,
 * a truncated and an altered object and an old orphan; `job/index` with a damaged index, `job/foreign` with a foreign snapshot and `job/manifest` with a damaged manifest,
 * each with an old object that nothing known refers to.
 */
export async function plant(store: ObjectStore, folder: string): Promise<void> {
  const put = async (key: ObjectKey, text: string): Promise<void> => {
    await store.put(key, Buffer.from(text))
  }
  const publish = (repository: string, number: number, contents: Contents): Promise<void> =>
    publishContents(store, folder, { repository, number, contents })
  const { shared, first, second, missing, truncated, altered, whole, oldOrphan } = planted

  await publish('job/sound/', 1, { [shared]: 'shared', [first]: 'first' })
  await publish('job/sound/', 2, { [shared]: 'shared', [second]: large })
  for (const id of [oldOrphan, planted.youngOrphan, planted.futureOrphan])
    await put(fileKey('job/sound/', id), 'orphan')
  await put(indexKey('job/sound/', 9), 'an index')
  await put(objectKey('job/sound/files/README'), 'no object')
  await put(objectKey(`job/sound/files/${oldOrphan.toUpperCase()}`), 'no object')

  await publish('job/broken/', 1, {
    [missing]: 'missing',
    [truncated]: 'truncated',
    [altered]: large,
    [whole]: 'whole',
  })
  await publish('job/broken/', 3, { [missing]: 'missing', [whole]: 'whole' })
  await store.delete([fileKey('job/broken/', missing)])
  await put(fileKey('job/broken/', truncated), 'trunc')
  await put(fileKey('job/broken/', altered), large.replace('large', 'LARGE'))
  await put(fileKey('job/broken/', oldOrphan), 'orphan')

  await publish('job/index/', 1, { [whole]: 'whole' })
  await publish('job/index/', 2, { [shared]: 'shared' })
  const index = await store.get(indexKey('job/index/', 2))
  const damaged = Buffer.from(index?.bytes ?? '')
  damaged.writeUInt8(damaged.readUInt8(100) ^ 1, 100)
  await put(indexKey('job/index/', 2), '')
  await store.put(indexKey('job/index/', 2), damaged)

  await publish('job/foreign/', 1, { [whole]: 'whole' })
  await put(manifestKey('job/foreign/', 2), '{"created": 1700000000}')
  await put(fileKey('job/foreign/', oldOrphan), 'of the other writer')

  await publish('job/manifest/', 1, { [whole]: 'whole' })
  await put(manifestKey('job/manifest/', 2), 'no json')
  await put(fileKey('job/manifest/', oldOrphan), 'whose?')
}

/** All keys of a store. */
export async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { objects } of store.list('')) keys.push(...objects.map(({ key }) => key))
  return keys.sort()
}

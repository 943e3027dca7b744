import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type KeptDatabase, keepForeignDatabase } from '../../src/foreign/foreign-cache.ts'
import { ForeignDatabase } from '../../src/foreign/foreign-database.ts'
import { ObjectNames } from '../../src/foreign/object-names.ts'
import { type ProfileOptions, profileDatabase, type TableProfile } from '../../src/foreign/profile.ts'
import { DirectoryStore } from '../../src/store/directory-store.ts'
import { objectKey } from '../../src/store/object-store.ts'
import { temporaryFolder } from '../snapshot/write-tree.ts'
import { foreignObjects, foreignRepository, writeObjects } from '../support/foreign/foreign-destination.ts'
import type { ForeignLayout } from '../support/foreign/layout.ts'

/** A destination of a layout, with the database of its first snapshot open and profiled. */
export interface Inspected extends AsyncDisposable {
  /** Where the sources are, and whatever a test makes. */
  readonly folder: string
  readonly kept: KeptDatabase
  readonly database: ForeignDatabase
  readonly tables: readonly TableProfile[]
  readonly options: ProfileOptions
}

export async function inspected(t: ExecutionContext, layout: ForeignLayout): Promise<Inspected> {
  const folder = await temporaryFolder(t)
  const destination = join(folder, 'destination')
  writeObjects(destination, foreignObjects(layout, folder))
  const store = new DirectoryStore(destination)
  const key = objectKey(foreignRepository + layout.truth.index.replace('{number}', '3'))
  const kept = (await keepForeignDatabase(key, { store, cacheDir: join(folder, 'cache') }))!
  const options = { store, objects: await ObjectNames.list(store, foreignRepository) }
  const database = await ForeignDatabase.open(kept.path)
  const tables = await profileDatabase(database, options)
  return {
    folder,
    kept,
    database,
    tables,
    options,
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

import type { Abortable } from '../base/abort.ts'
import { exportPrefix, filesPrefix, parseIndexName } from '../destination/layout.ts'
import { isObjectId } from '../snapshot/object-id.ts'
import type { ObjectMetadata, ObjectReader } from '../store/object-store.ts'

/** An object that lies in `files/`. */
export interface ListedObject {
  readonly id: string
  /** Bytes. */
  readonly size: number
}

export interface ListedPage {
  readonly objects: readonly ListedObject[]
  /** Keys in `files/` that are no object's: whoever put them there knows what they are. */
  readonly others: number
}

/** What lies in `files/` of a repository (prefix of its keys), a thousand keys a request. */
export async function* listObjects(
  store: ObjectReader,
  repository: string,
  options: Abortable,
): AsyncIterable<ListedPage> {
  const prefix = filesPrefix(repository)
  for await (const page of store.list(prefix, options)) {
    const objects: ListedObject[] = []
    for (const { key, size } of page.objects) {
      const id = key.slice(prefix.length)
      if (isObjectId(id)) objects.push({ id, size })
    }
    yield { objects, others: page.objects.length - objects.length }
  }
}

/** A file index that lies in `export/`. */
export interface ListedIndex extends ObjectMetadata {
  /** N of its snapshot. */
  readonly number: number
}

/** The file indexes of a repository, whether a manifest names them or not. */
export async function listIndexes(
  store: ObjectReader,
  repository: string,
  options: Abortable,
): Promise<ListedIndex[]> {
  const prefix = exportPrefix(repository)
  const found: ListedIndex[] = []
  for await (const { objects } of store.list(prefix, options))
    for (const object of objects) {
      const number = parseIndexName(object.key.slice(prefix.length))
      if (number !== undefined) found.push({ ...object, number })
    }
  return found
}

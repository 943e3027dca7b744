import type { Abortable } from '../base/abort.ts'
import { isFilesFolder } from '../destination/layout.ts'
import { isBehind, type ObjectKey, type ObjectReader, objectKey } from '../store/object-store.ts'

/** How a value names an object: as its name in `files/`, as its name in one of several `files<digits>/`, or by its key below the repository. */
export type NamedBy = 'name' | 'shard' | 'key'

export interface NamedObject {
  readonly key: ObjectKey
  /** Bytes in the store. */
  readonly size: number
  readonly by: NamedBy
}

export interface ListedFolder {
  /** `files` or `files<digits>`. */
  readonly folder: string
  readonly objects: number
  /** Bytes of them. */
  readonly size: number
  /** Whether there are no more than these. */
  readonly isWhole: boolean
}

interface Listed extends ListedFolder {
  readonly sizes: ReadonlyMap<string, number>
  /** The last one that was listed. */
  readonly last: string
}

/** Objects listed of a repository: pages of a thousand each are a request, and enough of them show how objects are called. */
const mostListed = 100_000

/** The objects of a repository, as far as they were listed: from each folder those that come first. */
export class ObjectNames {
  readonly repository: string
  readonly #folders: readonly Listed[]

  private constructor(repository: string, folders: readonly Listed[]) {
    this.repository = repository
    this.#folders = folders
  }

  static async list(
    store: ObjectReader,
    repository: string,
    { signal, limit = mostListed }: Abortable & { readonly limit?: number } = {},
  ): Promise<ObjectNames> {
    const names: string[] = []
    for await (const { prefixes } of store.list(repository, { delimiter: '/', signal }))
      names.push(...prefixes.map((prefix) => prefix.slice(repository.length, -1)).filter(isFilesFolder))
    const share = Math.ceil(limit / Math.max(1, names.length))
    const folders: Listed[] = []
    for (const folder of names)
      folders.push(await listFolder(store, `${repository}${folder}/`, folder, share, { signal }))
    return new ObjectNames(repository, folders)
  }

  get folders(): readonly ListedFolder[] {
    return this.#folders.map(({ folder, objects, size, isWhole }) => ({ folder, objects, size, isWhole }))
  }

  /** The object that `value` names; undefined: none; null: it may be one of those that were not listed. */
  find(value: string): NamedObject | undefined | null {
    const [, first = '', rest = ''] = /^\/?(files\d*)\/(.+)$/s.exec(value) ?? []
    if (rest !== '') return this.#findIn([first], rest, 'key')
    const plain = this.#findIn(['files'], value, 'name')
    return plain ?? this.#findIn(this.#shards(), value, 'shard') ?? plain
  }

  /** A few of them, for a look at what they are; the largest are of no more use than any. */
  *some(count: number): Iterable<NamedObject> {
    for (const { folder, sizes } of this.#folders) {
      const step = Math.max(1, Math.floor((sizes.size * this.#folders.length) / count))
      let at = 0
      for (const [name, size] of sizes)
        if (at++ % step === 0) yield { key: this.#keyOf(folder, name), size, by: 'key' }
    }
  }

  #shards(): readonly string[] {
    return this.#folders.map(({ folder }) => folder).filter((folder) => folder !== 'files')
  }

  #findIn(folders: readonly string[], name: string, by: NamedBy): NamedObject | undefined | null {
    let unknown: undefined | null
    for (const { folder, sizes, isWhole, last } of this.#folders) {
      if (!folders.includes(folder)) continue
      const size = sizes.get(name)
      if (size !== undefined) return { key: this.#keyOf(folder, name), size, by }
      if (!isWhole && isBehind(name, last)) unknown = null
    }
    return unknown
  }

  #keyOf(folder: string, name: string): ObjectKey {
    return objectKey(`${this.repository}${folder}/${name}`)
  }
}

async function listFolder(
  store: ObjectReader,
  prefix: string,
  folder: string,
  limit: number,
  { signal }: Abortable,
): Promise<Listed> {
  const sizes = new Map<string, number>()
  let total = 0
  let last = ''
  let isWhole = true
  for await (const { objects } of store.list(prefix, { signal })) {
    for (const { key, size } of objects) {
      last = key.slice(prefix.length)
      sizes.set(last, size)
      total += size
    }
    if (sizes.size < limit) continue
    isWhole = false
    break
  }
  return { folder, objects: sizes.size, size: total, isWhole, sizes, last }
}

import { type ObjectKey, objectKey } from '../store/object-store.ts'

/**
 * Where things lie below a backup directory (`native-notes/format.md` §1): pure functions between names and keys. A repository is
 * given by the prefix of its keys, '' or ending in a slash.
 */

/** Who owns the backup directory; lies at its top. */
export const ownerKey = 'jetbackup.owner'

/** Largest N of a `snap.N`. */
export const largestSnapshotNumber = 2 ** 31

/** Object stores of the vendor may be sharded as `files<digits>/`. */
const filesFolder = /^files\d*$/

export function fileKey(repository: string, objectId: string): ObjectKey {
  return objectKey(filesPrefix(repository) + objectId)
}

/** What the keys of all objects begin with. */
export function filesPrefix(repository: string): string {
  return `${repository}files/`
}

export function indexKey(repository: string, number: number): ObjectKey {
  return objectKey(exportPrefix(repository) + snapshotName(number))
}

/** What the keys of all file indexes begin with. */
export function exportPrefix(repository: string): string {
  return `${repository}export/`
}

/**
 * Where the file index of a snapshot can be: a new state's index lies where that of the state before does not, so that the old state is whole until the new one's
 * manifest is there, whenever its writer dies.
 */
export function indexKeys(repository: string, number: number): readonly [ObjectKey, ObjectKey] {
  const key = indexKey(repository, number)
  return [key, objectKey(`${key}.1`)]
}

/** N of the snapshot whose file index can be called so below `export/`; undefined: none can. */
export function parseIndexName(name: string): number | undefined {
  const snapshot = /^(snap\.\d+)(\.1)?$/.exec(name)?.[1]
  return snapshot === undefined ? undefined : parseSnapshotName(snapshot)
}

export function manifestKey(repository: string, number: number): ObjectKey {
  return objectKey(`${repository}${snapshotName(number)}/jetbackup.index`)
}

/** What all keys of all snapshots' own folders begin with. */
export function snapshotsPrefix(repository: string): string {
  return `${repository}snap.`
}

export function snapshotName(number: number): string {
  return `snap.${number}`
}

/** N of `snap.N`; undefined for anything else, `snap.0` and `snap.01` among it. */
export function parseSnapshotName(name: string): number | undefined {
  const digits = /^snap\.([1-9]\d{0,9})$/.exec(name)?.[1]
  const number = Number(digits)
  return digits !== undefined && number <= largestSnapshotNumber ? number : undefined
}

/** Whether a folder of a repository is called so that holds objects. */
export function isFilesFolder(name: string): boolean {
  return filesFolder.test(name)
}

/** Whether a folder of a repository is called so that holds what belongs to all snapshots. */
export function isOwnFolder(name: string): boolean {
  return name === 'export' || isFilesFolder(name)
}

/** What the folders directly below a prefix make of it. */
export interface RepositoryParts {
  /** It holds snapshots, or what belongs to snapshots. */
  readonly isRepository: boolean
  /** Folders that are none of a repository's own. */
  readonly folders: readonly string[]
}

export function repositoryParts(names: readonly string[]): RepositoryParts {
  const folders = names.filter((name) => !isOwnFolder(name) && parseSnapshotName(name) === undefined)
  return { isRepository: folders.length < names.length, folders }
}

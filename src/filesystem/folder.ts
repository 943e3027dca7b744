import type { ObjectMetadata } from '../store/object-store.ts'
import type { MountedSnapshot } from './mounted-snapshot.ts'

/** What lies above the snapshots: the backup directory's folders as they are in the store, and what a repository shows. */
export type Node = Folder | ObjectFile | LatestLink | TextFile

/** A folder of the backup directory, or a repository. */
export interface Folder {
  readonly kind: 'folder'
  readonly nodeid: number
  readonly parent: number
  /** Of its keys; '' or ending in a slash. */
  readonly prefix: string
  /** undefined until it is listed for the first time. */
  listing: Listing | undefined
  /** Epoch milliseconds; stands in for the time of a change until there is a listing. */
  readonly started: number
  /** Looked into since the last refresh. */
  touched: boolean
  /** Nobody had looked into it between two refreshes: its listing is not kept up to date, and asked for again when it is wanted. */
  old: boolean
  /** Made here, and not in the store unless something was published below it. */
  isLocal: boolean
}

export interface Listing {
  readonly children: ReadonlyMap<string, Child>
  /** Epoch milliseconds of the last change that was noticed. */
  readonly changed: number
}

/** An entry of a folder. */
export interface Child {
  readonly name: string
  /**
   * Readdir's place. Entries stand in its order; a name keeps it whatever it comes to stand for, and it is never used again, so that a
   * listing goes on rightly across changes.
   */
  readonly serial: number
  readonly target: Node | MountedSnapshot
}

/** An object that belongs to no repository. Another etag is another node. */
export interface ObjectFile {
  readonly kind: 'object'
  readonly nodeid: number
  readonly metadata: ObjectMetadata
}

/** `latest`. */
export interface LatestLink {
  readonly kind: 'link'
  readonly nodeid: number
  readonly target: string
  /** Epoch seconds. */
  readonly created: number
}

/** What is shown in a snapshot and is none of its files: its manifest where it holds no file of that name, or what to do where its files are not known. */
export interface TextFile {
  readonly kind: 'text'
  readonly nodeid: number
  bytes: Buffer
  created: number
}

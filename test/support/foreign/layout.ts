import type { SourceEntry } from './source-tree.ts'

/** An object of a destination. */
export interface ForeignObject {
  readonly key: string
  readonly bytes: Buffer
}

export interface ForeignSnapshot {
  readonly number: number
  /** Seconds since 1970. */
  readonly created: number
  readonly entries: readonly SourceEntry[]
}

/** What columns can mean. */
export type ColumnRole =
  | 'path'
  | 'folder'
  | 'id'
  | 'parent'
  | 'name'
  | 'type'
  | 'mode'
  | 'uid'
  | 'gid'
  | 'size'
  | 'mtime'
  | 'object'
  | 'target'
  | 'snapshot'

/** What is right about a layout, for those who compare what jbfs finds out. */
export interface LayoutTruth {
  /** Where the rows of a snapshot are, below the repository. */
  readonly index: string
  readonly container: 'plain' | 'zstd' | 'gzip' | 'xz' | 'bzip2'
  readonly content: 'sqlite' | 'json'
  readonly table: string
  readonly shape: 'paths' | 'parents'
  /** Columns by what they mean; `table.column` where it is not the table of the rows. */
  readonly columns: Readonly<Partial<Record<ColumnRole, string>>>
  readonly times: 'seconds' | 'milliseconds' | 'iso'
  readonly modes: 'decimal' | 'octal'
  /** How the objects are named by `object`. */
  readonly objectsBy: 'id' | 'key' | 'hash' | 'number'
  readonly objects: 'plain' | 'gzip'
}

/** What a layout can hold of a source. */
export interface LayoutLimits {
  readonly milliseconds: boolean
  readonly anyName: boolean
  /** Whether mode and time of the snapshot's own folder are in the rows. */
  readonly topFolder: boolean
}

/** A form of destination that something else than jbfs may have written. */
export interface ForeignLayout {
  readonly name: string
  readonly keeps: LayoutLimits
  readonly truth: LayoutTruth
  /** The objects of a repository, their keys below it. */
  write(snapshots: readonly ForeignSnapshot[]): ForeignObject[]
}

import type { FileName } from '../snapshot/tree.ts'
import type { NewInode } from '../snapshot/working-index.ts'
import type { ByteRange } from '../store/object-store.ts'

/** What can be made a snapshot of: a folder or an archive. */
export interface ImportSource extends AsyncDisposable {
  /** For messages. */
  readonly description: string
  /** Everything in it, once; the first entry is the top folder, and a folder comes before what is in it. */
  entries(options: { readonly signal: AbortSignal }): AsyncIterable<SourceEntry>
}

export interface SourceEntry {
  /** Names from the top folder down; empty for the top folder itself. */
  readonly path: readonly FileName[]
  readonly inode: Omit<NewInode, 'object' | 'extents'>
  /** The same for all names of one inode; undefined where there is only one. */
  readonly link?: string | undefined
  /** Of a regular file that is not empty, at its first name. */
  readonly content?: SourceContent | undefined
}

/** Where the bytes of a file are. */
export interface SourceContent extends AsyncDisposable {
  readonly file: string | Buffer
  /** Where the data lies; the whole file when it has no holes. */
  readonly ranges: readonly ByteRange[]
  readonly sparse: boolean
  /** Whether the file is still as it was when `ranges` was found. */
  isUnchanged(): Promise<boolean>
  /** The content as it is now, after a change. */
  again(): Promise<SourceEntry>
}

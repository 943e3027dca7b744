import type { OpenContent } from '../snapshot/content-store.ts'
import type { FileName } from '../snapshot/tree.ts'
import type { NewInode } from '../snapshot/working-index.ts'

/** What can be made a snapshot of: a folder or an archive. */
export interface ImportSource extends AsyncDisposable {
  /** For messages. */
  readonly description: string
  /** Whether it does not tell holes from zeros, so that long zeros are better taken for holes. */
  readonly losesHoles?: boolean
  /** Everything in it, once; the first entry is the top folder, and a folder comes before what is in it. */
  entries(options: { readonly signal: AbortSignal }): AsyncIterable<SourceEntry>
}

export interface SourceEntry {
  /** Names from the top folder down; empty for the top folder itself. */
  readonly path: readonly FileName[]
  readonly inode: Omit<NewInode, 'object' | 'extents'>
  /** The same for all names of one inode; undefined where there is only one. */
  readonly link?: string | undefined
  /** Of a regular file that is not empty. */
  readonly content?: SourceContent | undefined
}

/** The bytes of a file that has been found. */
export interface SourceContent {
  /** Undefined when the file is no longer as it was found, or another one has its name. */
  open(): Promise<OpenContent | undefined>
  /** The entry as it is now, after a change. */
  again(): Promise<SourceEntry>
}

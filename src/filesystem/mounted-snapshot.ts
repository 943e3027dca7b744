import { type Abortable, orAborted } from '../base/abort.ts'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { FuseError } from '../fuse/errno.ts'
import type { CatalogEntry } from '../snapshot/catalog.ts'
import { SnapshotError } from '../snapshot/errors.ts'
import type { Tree } from '../snapshot/tree.ts'
import type { WritableSnapshot } from '../snapshot/writable-tree.ts'

/** Opens the file index of a snapshot; the `CatalogEntry` names the state that is meant. */
export type OpenTree = (entry: CatalogEntry, repository: string, options: Abortable) => Promise<Tree>

export interface MountedSnapshotOptions {
  readonly slot: number
  /** Prefix of the repository's keys. */
  readonly repository: string
  /** Nodeid of the repository's folder. */
  readonly parent: number
  readonly entry: CatalogEntry
  readonly openTree: OpenTree
  readonly logger: Logger
}

/**
 * One published state of one snapshot, in its slot. Its index is fetched on first touch; when a newer state is published this one
 * is superseded and lives on for those who are in it, until the kernel has forgotten all its nodes.
 */
export class MountedSnapshot {
  readonly slot: number
  readonly repository: string
  readonly parent: number
  /** As it is published. */
  entry: CatalogEntry
  readonly #openTree: OpenTree
  readonly #logger: Logger
  #tree: Tree | undefined
  #working: WritableSnapshot | undefined
  #opening: Promise<Tree> | undefined
  #problem: SnapshotError | undefined
  /** Lookups of nodes of this slot that the kernel has not taken back. */
  #lookups = 0
  #superseded = false
  /** Aborts when nobody will want its tree any more. */
  readonly #closed = new AbortController()

  constructor({ slot, repository, parent, entry, openTree, logger }: MountedSnapshotOptions) {
    this.slot = slot
    this.repository = repository
    this.parent = parent
    this.entry = entry
    this.#openTree = openTree
    this.#logger = logger
    this.#problem = entry.problem
  }

  /** Why its tree cannot be shown, as far as is known. */
  get problem(): SnapshotError | undefined {
    return this.#problem
  }

  /** The tree when it is open already. */
  get openedTree(): Tree | undefined {
    return this.#working?.tree ?? this.#tree
  }

  /** undefined: it is as it is published. */
  get working(): WritableSnapshot | undefined {
    return this.#working
  }

  /** From now on its tree is this one, which has the same inodes under the same numbers. What was open stays so: somebody may be about to read it. */
  becomeWorking(working: WritableSnapshot): void {
    this.#working = working
    this.#problem = undefined
  }

  /** The tree, fetched and opened if need be. Rejects with `SnapshotError` when it is damaged, `StoreError` or `IndexCacheError` when it cannot be had. */
  tree({ signal }: Abortable): Tree | Promise<Tree> {
    const opened = this.openedTree
    if (opened !== undefined) return opened
    if (this.#problem !== undefined) return Promise.reject(this.#problem)
    if (this.#closed.signal.aborted) return Promise.reject(new FuseError('ESTALE'))
    this.#opening ??= this.#open()
    return orAborted(this.#opening, signal)
  }

  async #open(): Promise<Tree> {
    const snapshot = `${this.repository}${this.entry.name}`
    try {
      // Not the caller's signal: others wait for the same index, and the next one to look will want it too.
      const tree = await this.#openTree(this.entry, this.repository, { signal: this.#closed.signal })
      if (this.#closed.signal.aborted) {
        tree[Symbol.dispose]()
        throw this.#closed.signal.reason
      }
      this.#tree = tree
      return tree
    } catch (error) {
      if (this.#closed.signal.aborted) throw new FuseError('ESTALE', { cause: error })
      // What is wrong with the data is not asked for at every touch; what is wrong with the way there may pass.
      if (error instanceof SnapshotError) this.#problem = error
      this.#logger.error({ snapshot, error: messageOf(error) }, 'a snapshot could not be opened')
      throw error
    } finally {
      this.#opening = undefined
    }
  }

  /** Has the next touch look anew: an index that was missing may have been put in place since. */
  retry(): void {
    this.#problem = this.entry.problem
  }

  remembered(): void {
    this.#lookups++
  }

  forgotten(lookups: number): void {
    this.#lookups -= lookups
    this.#disposeIfUnused()
  }

  /** A newer state has taken its place, or the snapshot is gone. */
  supersede(): void {
    this.#superseded = true
    this.#disposeIfUnused()
  }

  get isSuperseded(): boolean {
    return this.#superseded
  }

  /** No node of this slot can be asked for any more. */
  get isGone(): boolean {
    return this.#superseded && this.#lookups === 0
  }

  /** Stops the fetching of its index, too. */
  close(): void {
    this.#closed.abort()
    this.#tree?.[Symbol.dispose]()
    this.#tree = undefined
  }

  #disposeIfUnused(): void {
    if (this.isGone) this.close()
  }
}

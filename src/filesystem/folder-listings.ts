import { type Abortable, orAborted } from '../base/abort.ts'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { Semaphore } from '../base/semaphore.ts'
import type { Change } from './destination-tree.ts'
import type { Folder, Listing, Node } from './folder.ts'
import type { NodeTable } from './node-table.ts'

export interface FolderListingsOptions {
  readonly nodes: NodeTable<Node>
  /** Lists a folder as it is now, and keeps that in it; rejects with ESTALE when it has gone meanwhile. */
  readonly list: (folder: Folder) => Promise<Listing>
  readonly onChange: (change: Change) => void
  readonly logger: Logger
}

export interface RefreshOptions extends Abortable {
  /** Every folder that was ever listed, not only those that were looked into since the last time. */
  readonly all: boolean
}

/** Folders that a refresh lists at a time. */
const refreshConcurrency = 16

/** When folders are listed: on first touch, after that by `refresh` while somebody looks into them, and each once at a time. */
export class FolderListings {
  readonly #options: FolderListingsOptions
  readonly #pending = new Map<Folder, Promise<Listing>>()

  constructor(options: FolderListingsOptions) {
    this.#options = options
  }

  /** What a folder holds, asked of the store when nobody has yet, or when `refresh` has ceased to keep it up to date. */
  of(folder: Folder, { signal }: Abortable): Listing | Promise<Listing> {
    folder.touched = true
    if (folder.listing !== undefined && !folder.old) return folder.listing
    return orAborted(this.#list(folder), signal)
  }

  /**
   * Lists again the folders that were looked into since the last time. Of the others the kernel is told to forget the listing, and whoever
   * looks next waits for a new one: a destination has thousands of accounts, and each costs two requests.
   */
  async refresh({ all, signal }: RefreshOptions): Promise<void> {
    signal?.throwIfAborted()
    const places = new Semaphore(refreshConcurrency)
    const refreshed = [...this.#options.nodes.values()].map(async (node) => {
      if (node.kind !== 'folder' || node.listing === undefined) return
      if (!all && !node.touched) {
        if (!node.old) this.#options.onChange({ folder: node.nodeid, names: [] })
        node.old = true
        return
      }
      node.touched = false
      using _place = await places.acquire({ signal })
      await orAborted(this.#listAfterwards(node), signal)
    })
    await Promise.all(refreshed)
  }

  /** Lists one folder again, if it was listed: something was published in it, or removed. */
  async relist(prefix: string): Promise<void> {
    for (const node of this.#options.nodes.values()) {
      if (node.kind !== 'folder' || node.prefix !== prefix || node.listing === undefined) continue
      await this.#listAfterwards(node)
    }
  }

  #list(folder: Folder): Promise<Listing> {
    let pending = this.#pending.get(folder)
    if (pending === undefined) {
      pending = this.#listOrKeep(folder).finally(() => this.#pending.delete(folder))
      this.#pending.set(folder, pending)
    }
    return pending
  }

  /** Lists a folder as it is now: a listing that is under way may have seen what was there before. Never rejects. */
  async #listAfterwards(folder: Folder): Promise<void> {
    await Promise.allSettled([this.#pending.get(folder)])
    // It rejects only when the folder has gone meanwhile.
    if (this.#options.nodes.has(folder)) await Promise.allSettled([this.#list(folder)])
  }

  /** What was listed before goes on being shown when the store fails: better a little old than not at all. */
  async #listOrKeep(folder: Folder): Promise<Listing> {
    const { nodes, list, logger } = this.#options
    try {
      return await list(folder)
    } catch (error) {
      if (folder.listing === undefined || !nodes.has(folder)) throw error
      logger.warn({ folder: folder.prefix, error: messageOf(error) }, 'a folder could not be listed again')
      return folder.listing
    } finally {
      folder.old = false
    }
  }
}

import type { Logger } from '../base/log.ts'
import { listSnapshots } from '../snapshot/catalog.ts'
import { ContentStore } from '../snapshot/content-store.ts'
import { learnObjects } from '../snapshot/learn-objects.ts'
import type { ObjectIds } from '../snapshot/object-id.ts'
import type { ObjectStore } from '../store/object-store.ts'

export interface RepositoryContentsOptions {
  readonly store: ObjectStore
  /** Indexes of published snapshots are kept there. */
  readonly cacheDir: string
  readonly ids: ObjectIds
  readonly logger: Logger
  /** Ends all that is under way. */
  readonly signal: AbortSignal
}

/** What the repositories of a destination have already: learned once of each, before its first upload. */
export class RepositoryContents {
  readonly #options: RepositoryContentsOptions
  readonly #contents = new Map<string, Promise<ContentStore>>()

  constructor(options: RepositoryContentsOptions) {
    this.#options = options
  }

  of(repository: string): Promise<ContentStore> {
    let contents = this.#contents.get(repository)
    if (contents === undefined) {
      contents = this.#learn(repository)
      this.#contents.set(repository, contents)
      // The next upload tries it again.
      contents.catch(() => this.#contents.delete(repository))
    }
    return contents
  }

  async #learn(repository: string): Promise<ContentStore> {
    const { store, cacheDir, ids, logger, signal } = this.#options
    const contents = new ContentStore({ store, repository, ids })
    const snapshots = await listSnapshots(store, repository, { signal })
    await learnObjects(contents, { store, repository, cacheDir, logger, signal }, snapshots)
    return contents
  }
}

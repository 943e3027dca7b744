import { rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Abortable, orAborted } from '../base/abort.ts'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { snapshotName } from '../destination/layout.ts'
import { type CatalogEntry, readSnapshot } from '../snapshot/catalog.ts'
import { ChangeError } from '../snapshot/errors.ts'
import { manifestMembers, parseManifest } from '../snapshot/manifest.ts'
import { type PublishOptions, publishSnapshot } from '../snapshot/publish.ts'
import type { OwnInode } from '../snapshot/tree.ts'
import { writeIndex } from '../snapshot/write-index.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { type FormerNumber, forgetFormer, formerIn, noteFormer } from './former-number.ts'
import { itemsOf, rootAttributesOf } from './manifest-facts.ts'
import { forgetPut, keepPut, keptManifest, notedPut, notePut } from './manifest-files.ts'
import { stagingFault } from './staging-fault.ts'
import type { WorkingTree } from './working-tree.ts'

export interface SnapshotPublishingOptions {
  /** Of the working snapshot. */
  readonly folder: string
  readonly store: ObjectStore
  readonly repository: string
  readonly number: number
  readonly tree: WorkingTree
  /** `StagedContents.drained`. */
  readonly drained: <T>(then: () => T) => Promise<T>
  readonly logger: Logger
  /** As the manifest names it. */
  readonly writer: string
  /** Called after each publish. */
  readonly onPublished: (entry: CatalogEntry) => void
}

/** A working snapshot as readers see it, or are to see it: under which number, and of which state. What publishes comes one after the other. */
export class SnapshotPublishing {
  readonly #options: Omit<SnapshotPublishingOptions, 'number'>
  #number: number
  #underWay: Promise<void> | undefined
  #isRetired = false
  #failure: unknown
  #former: FormerNumber | undefined
  #formerFailure: unknown

  constructor({ number, ...options }: SnapshotPublishingOptions) {
    this.#options = options
    this.#number = number
    this.#former = formerIn(options.folder, number)
  }

  get number(): number {
    return this.#number
  }

  get isPublished(): boolean {
    const { baseEtag, changes, published } = this.#options.tree.state
    return baseEtag !== undefined && changes === published
  }

  /** Of the manifest that it was made of, or was published as last; undefined: there is none. */
  get baseEtag(): string | undefined {
    return this.#options.tree.state.baseEtag
  }

  /** What the last publish failed with; undefined when it did not. */
  get failure(): unknown {
    return this.#failure
  }

  /** What it was published as before it got its number, while that is still to be deleted. */
  get former(): FormerNumber | undefined {
    return this.#former
  }

  /** What deleting it failed with last; undefined when it did not. */
  get formerFailure(): unknown {
    return this.#formerFailure
  }

  /** Whether it need not be kept here: all is published, and under its number alone. */
  get isDone(): boolean {
    return this.isPublished && this.#former === undefined
  }

  /**
   * Compares what it was made of with what is published (undefined: nothing) after a crash, as one that came in the middle of a publish may have hidden its end from
   * us. False when somebody else has published another state: then this one cannot be.
   */
  meets(published: CatalogEntry | undefined): boolean {
    const { folder, tree } = this.#options
    const isPut =
      published?.manifest !== undefined && notedPut(folder)?.equals(published.manifest.bytes) === true
    if (published?.manifestEtag !== this.baseEtag) {
      if (published === undefined || !isPut) return false
      tree.published(tree.state.published, published.manifestEtag)
    }
    if (isPut) keepPut(folder)
    else forgetPut(folder)
    return true
  }

  /** Resolves when readers see what is here now. */
  async publish(options: Abortable): Promise<void> {
    // One that is under way may have begun before what the caller has done.
    await this.#alone(() => this.#publishChanges(), options)
  }

  /**
   * Publishes it under another number, of which there is no snapshot; what is published under the old one stays until `leaveFormer`. Where nobody can tell whether it is
   * published under the new one, it has that all the same, and the next publish finds out.
   */
  async renumber(number: number, options: Abortable): Promise<void> {
    await this.publish(options)
    // To its end: nobody could tell of which number one is that goes on unattended.
    await this.#alone(() => this.#publishAs(number), {})
  }

  /** Deletes by `remove` what it was published as before, as soon as it is published under its number. */
  async leaveFormer(remove: (former: FormerNumber) => Promise<void>, options: Abortable = {}): Promise<void> {
    if (this.#former === undefined) return
    await this.#alone(async () => {
      if (this.#former === undefined || this.baseEtag === undefined) return
      try {
        await remove(this.#former)
      } catch (error) {
        this.#formerFailure = error
        throw error
      }
      this.#forgetFormer()
    }, options)
  }

  /** It is being removed: resolves when no publish is under way, and none begins any more. */
  async retire(): Promise<void> {
    this.#isRetired = true
    await this.ended()
  }

  /** Its removal has failed. */
  reinstate(): void {
    this.#isRetired = false
  }

  /** Resolves when what is under way has ended, as it may. */
  async ended(): Promise<void> {
    await this.#underWay?.catch(() => {})
  }

  async #alone(work: () => Promise<void>, { signal }: Abortable): Promise<void> {
    while (this.#underWay !== undefined) await orAborted(this.ended(), signal)
    this.#underWay = work().finally(() => {
      this.#underWay = undefined
    })
    await orAborted(this.#underWay, signal)
  }

  async #publishChanges(): Promise<void> {
    if (this.#isRetired) throw new ChangeError('no-name')
    if (!this.isPublished) await this.#publish()
  }

  async #publishAs(number: number): Promise<void> {
    const { folder, repository, logger } = this.#options
    await this.#publishChanges()
    // It is published: it has one.
    const before = { number: this.#number, etag: this.baseEtag as string }
    noteFormer(folder, before)
    this.#setNumber(number, undefined)
    this.#former = before
    try {
      await this.#publish()
    } catch (error) {
      // It may have been done although it seemed to fail.
      const isDone = await this.#isPut()
      if (isDone === false) {
        this.#setNumber(before.number, before.etag)
        this.#forgetFormer()
        throw error
      }
      if (isDone === undefined)
        logger.warn(
          { snapshot: repository + snapshotName(number), error: messageOf(error) },
          'a snapshot has another number, and may not be published under it yet; trying again',
        )
    }
  }

  /** Whether what a publish that failed was to make visible is; undefined: nobody can tell. */
  async #isPut(): Promise<boolean | undefined> {
    const { folder, store, repository } = this.#options
    if (notedPut(folder) === undefined) return false
    try {
      const published = await readSnapshot(store, repository, this.#number)
      return published !== undefined && this.meets(published)
    } catch {
      return undefined
    }
  }

  #setNumber(number: number, baseEtag: string | undefined): void {
    this.#options.tree.renumber(number, baseEtag)
    this.#number = number
  }

  #forgetFormer(): void {
    this.#former = undefined
    this.#formerFailure = undefined
    forgetFormer(this.#options.folder)
  }

  async #publish(): Promise<void> {
    const { folder, store, repository, tree, drained, logger, onPublished } = this.#options
    const number = this.#number
    const indexPath = join(folder, 'index.sqlite')
    try {
      rmSync(indexPath, { force: true })
      // A publish before may have been done although it seemed to fail.
      if (notedPut(folder) !== undefined) this.meets(await readSnapshot(store, repository, number))
      // The index is of one moment: nothing is changed while it is written.
      const { totals, changes, root } = await drained(() => ({
        changes: tree.changes,
        totals: writeIndex(tree, indexPath),
        root: tree.inode(tree.root) as OwnInode,
      }))
      // What is published must not be newer than what is here after a crash of the system.
      const synced = tree.synced()
      synced.catch(() => {})
      const entry = await publishSnapshot({
        store,
        repository,
        number,
        indexPath,
        totals: {
          ...totals,
          writer: this.#options.writer,
          root: rootAttributesOf(root, tree.xattrNames(root.ino).length),
        },
        ...this.#manifest(indexPath),
        replaces: this.baseEtag,
        beforeManifest: async (manifest) => {
          await Promise.all([synced, notePut(folder, manifest)])
        },
      })
      tree.published(changes, entry.manifestEtag)
      await tree.synced()
      keepPut(folder)
      logger.info({ snapshot: repository + entry.name, ...totals }, 'published')
      this.#failure = undefined
      onPublished(entry)
    } catch (error) {
      this.#failure = stagingFault(error)
      throw this.#failure
    } finally {
      await rm(indexPath, { force: true })
    }
  }

  #manifest(indexPath: string): Pick<PublishOptions, 'manifest' | 'base' | 'replacesIndex'> {
    const { folder, repository, tree } = this.#options
    const bytes = keptManifest(folder)
    const before = bytes && parseManifest(bytes)
    return {
      manifest: {
        created: tree.state.created,
        suspended: before?.suspended ?? false,
        account: before?.account ?? repository.split('/').at(-2),
        items: itemsOf(indexPath, before?.items ?? []),
      },
      base: bytes && manifestMembers(bytes),
      // Under another number its index replaces none.
      replacesIndex: this.baseEtag === undefined ? undefined : before?.jbfs?.index.key,
    }
  }
}

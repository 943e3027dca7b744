import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { silentLogger } from '../../src/base/log.ts'
import type { BlobSource } from '../../src/cache/blob-source.ts'
import { DestinationTree } from '../../src/filesystem/destination-tree.ts'
import { SnapshotFilesystem } from '../../src/filesystem/snapshot-filesystem.ts'
import type { ChangeOperations } from '../../src/fuse/operations.ts'
import { listSnapshots } from '../../src/snapshot/catalog.ts'
import { openSnapshotIndex } from '../../src/snapshot/index-file.ts'
import { WorkingSnapshots } from '../../src/staging/working-snapshots.ts'
import { StoreError } from '../../src/store/errors.ts'
import { eachPartRequest, type ObjectStore } from '../../src/store/object-store.ts'
import { MemoryStore } from '../support/memory-store.ts'

/** A mount without a kernel. */
export interface Mounted extends AsyncDisposable {
  readonly filesystem: SnapshotFilesystem
  readonly changes: ChangeOperations
}

/** Never by themselves: the test says when. */
const times = { idle: 2 ** 30, longest: 2 ** 30, lookEvery: 2 ** 30, share: 1 }

/** A destination in memory whose puts of files end when the test lets them, and that fails when it says so. */
export class ModelDestination {
  readonly store = new MemoryStore()
  readonly #folder: string
  readonly #held: (() => void)[] = []
  #states = 0
  isHolding = false
  isDown = false
  /** The next so many puts are done, and seem to fail. */
  lostAnswers = 0

  constructor(folder: string) {
    this.#folder = folder
    this.store.before = async (call, key) => {
      if (call !== 'put') return
      if (this.isHolding && key.includes('/files/'))
        await new Promise<void>((resolve) => this.#held.push(resolve))
      if (this.isDown) throw new StoreError('access-denied', 'the store is down')
    }
    this.store.after = (call) => {
      if (call !== 'put' || this.lostAnswers === 0) return
      this.lostAnswers--
      throw new StoreError('access-denied', 'the answer got lost')
    }
    mkdirSync(this.#stateFolder)
  }

  /** Lets one put that is held, the `which`-th, go on. */
  release(which: number): void {
    if (this.#held.length > 0) this.#held.splice(which % this.#held.length, 1)[0]?.()
  }

  /** The same as `promise`, while what is held goes on one by one. */
  async settled<T>(promise: T | Promise<T>): Promise<T> {
    if (!(promise instanceof Promise)) return promise
    let isPending = true
    const ended = (): void => {
      isPending = false
    }
    promise.then(ended, ended)
    while (isPending) {
      this.release(0)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return promise
  }

  async mount(): Promise<Mounted & { crash(): Promise<void> }> {
    const life = { isDead: false }
    const store = mortal(this.store, life)
    const snapshots = await WorkingSnapshots.open({
      folder: this.#stateFolder,
      store,
      cacheDir: join(this.#folder, 'cache'),
      stagingBytes: 1 << 30,
      concurrency: 3,
      logger: silentLogger,
      writer: 'jbfs test',
      onPublished: (repository) => void tree.relist(repository).catch(() => {}),
      times,
    })
    const tree: DestinationTree = this.#tree(store, snapshots)
    const filesystem = this.#filesystem(tree, { snapshots, check: () => {} })
    const dispose = async (): Promise<void> => {
      await this.settled(snapshots[Symbol.asyncDispose]())
      tree.close()
    }
    return {
      filesystem,
      changes: filesystem.changes as ChangeOperations,
      [Symbol.asyncDispose]: dispose,
      crash: async () => {
        // What SIGKILL leaves: the files as they are between two turns, with their times, and a store that hears no more.
        const left = this.#stateFolder
        this.#states++
        cpSync(left, this.#stateFolder, { recursive: true, preserveTimestamps: true })
        life.isDead = true
        await dispose()
      },
    }
  }

  /** What another server sees. */
  mountReadOnly(): Mounted {
    const tree = this.#tree(this.store, undefined)
    const filesystem = this.#filesystem(tree, undefined)
    return {
      filesystem,
      changes: {} as ChangeOperations,
      [Symbol.asyncDispose]: async () => tree.close(),
    }
  }

  get #stateFolder(): string {
    return join(this.#folder, `state-${this.#states}`)
  }

  #tree(reader: ObjectStore, local: WorkingSnapshots | undefined): DestinationTree {
    return new DestinationTree({
      reader,
      local,
      listSnapshots: (repository, { known }) => listSnapshots(reader, repository, { known }),
      openTree: (entry, repository, { signal }) =>
        openSnapshotIndex({
          store: reader,
          repository,
          entry,
          cacheDir: join(this.#folder, 'cache'),
          logger: silentLogger,
          signal,
        }),
      onChange: () => {},
      logger: silentLogger,
    })
  }

  #filesystem(
    tree: DestinationTree,
    writing: { snapshots: WorkingSnapshots; check: () => void } | undefined,
  ): SnapshotFilesystem {
    return new SnapshotFilesystem({
      tree,
      source: this.#source,
      dropPages: () => {},
      uid: 0,
      gid: 0,
      writing,
    })
  }

  get #source(): BlobSource {
    return {
      read: async ({ key, size }, { offset, length }) => {
        const bytes = this.store.objects.get(key)
        if (bytes?.length !== size) throw new Error(`${key} does not have ${size} bytes`)
        return [bytes.subarray(offset, offset + length)]
      },
      prefetch: (blobs) => blobs.length,
    }
  }
}

/** The store, as long as the process that uses it lives. */
function mortal(store: ObjectStore, life: { readonly isDead: boolean }): ObjectStore {
  const living = async <T>(work: () => Promise<T>): Promise<T> => {
    if (life.isDead) throw new StoreError('invalid', 'this process is dead')
    return work()
  }
  return {
    description: store.description,
    get: (...args) => living(() => store.get(...args)),
    getStream: (...args) => living(() => store.getStream(...args)),
    head: (...args) => living(() => store.head(...args)),
    list: (...args) => store.list(...args),
    parts: eachPartRequest(store.parts, (request, options) => living(() => request(options))),
    put: (...args) => living(() => store.put(...args)),
    delete: (...args) => living(() => store.delete(...args)),
  }
}

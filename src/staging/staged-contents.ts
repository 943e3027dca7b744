import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Abortable, orAborted } from '../base/abort.ts'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Semaphore } from '../base/semaphore.ts'
import { CacheError } from '../cache/errors.ts'
import { type ContentStore, extentsOf, type OpenContent } from '../snapshot/content-store.ts'
import { ChangeError } from '../snapshot/errors.ts'
import type { Ino, OwnInode } from '../snapshot/tree.ts'
import type { AllocateKind, MaybePromise, StagedContent } from '../snapshot/writable-tree.ts'
import type { ByteRange, ObjectReader } from '../store/object-store.ts'
import { StagedFile } from './staged-file.ts'
import type { WorkingTree } from './working-tree.ts'
import { writeFetched } from './write-fetched.ts'

export interface StagedContentsOptions {
  readonly tree: WorkingTree
  /** Where the files are; it is there. */
  readonly folder: string
  readonly reader: ObjectReader
  readonly contents: () => Promise<ContentStore>
  /** Uploads at a time, of all snapshots. */
  readonly uploads: Semaphore
  readonly logger: Logger
}

/** The content of one inode, as far as somebody has it open or it is not in the store. */
interface Content {
  readonly ino: Ino
  opens: number
  writers: number
  /** undefined: it is in the store only. */
  file: StagedFile | undefined
  /** The file is not what the store has. */
  isDirty: boolean
  /** Grows with every change. */
  generation: number
  /** Who wants to change it waits: it is being fetched, or sent as a whole. */
  held: Promise<unknown> | undefined
  upload: Promise<void> | undefined
  isUploading: boolean
  /** Its upload is tried until it succeeds. */
  isTrying: boolean
  failure: Error | undefined
}

const setuid = 0o4000
const setgid = 0o2000
const groupExecute = 0o010
/** Milliseconds before an upload that failed is tried again, doubled up to the largest: what is staged is never given up. */
const firstPause = 1_000
const largestPause = 60_000

/**
 * Contents of a working snapshot on their way: changed in the staging folder, sent in the background once nobody has them open for writing, and then removed
 * there. What was written is never dropped: an upload that fails is tried again for ever.
 */
export class StagedContents {
  readonly #options: StagedContentsOptions
  readonly #contents = new Map<Ino, Content>()
  readonly #closed = new AbortController()
  /** All who want to change something wait: what there is is being published. */
  #frozen: Promise<unknown> | undefined

  constructor(options: StagedContentsOptions) {
    this.#options = options
  }

  /** Takes up again what an earlier process has left. */
  recover(): void {
    const { tree } = this.#options
    for (const ino of tree.staged()) {
      const content = this.#contentOf(ino)
      content.file = this.#openLeft(ino)
      content.isDirty = true
      // The last write may have reached the file and not the tree.
      if (tree.inode(ino)?.size !== content.file.size) tree.wrote(ino, { size: content.file.size })
      this.#uploadWhenClosed(content)
    }
  }

  /** A file that the system's own crash has taken: nobody had waited for its bytes (fsync). */
  #openLeft(ino: Ino): StagedFile {
    const path = this.#pathOf(ino)
    const isNew = !existsSync(path)
    if (isNew) this.#options.logger.error({ inode: ino, path }, 'what was written to a file is lost')
    return new StagedFile(path, { isNew })
  }

  opened(ino: Ino, writes: boolean): void {
    const content = this.#contentOf(ino)
    content.opens++
    if (writes) content.writers++
  }

  closed(ino: Ino, writes: boolean): void {
    const content = this.#contentOf(ino)
    content.opens--
    if (writes) content.writers--
    this.#settle(content)
  }

  /** The inode has lost its last name. */
  unlinked(ino: Ino): void {
    const content = this.#contents.get(ino)
    if (content !== undefined) this.#settle(content)
  }

  staged(ino: Ino): StagedContent | undefined {
    return this.#contents.get(ino)?.file
  }

  stateOf(ino: Ino): 'staged' | 'uploading' | 'stored' {
    const content = this.#contents.get(ino)
    if (content === undefined || !content.isDirty) return 'stored'
    return content.isUploading ? 'uploading' : 'staged'
  }

  failureOf(ino: Ino): Error | undefined {
    return this.#contents.get(ino)?.failure
  }

  write(ino: Ino, offset: number, bytes: Buffer, clearSetuid: boolean): MaybePromise<void> {
    const content = this.#contentOf(ino)
    const end = offset + bytes.length
    if (this.#isReady(content)) return this.#change(content, clearSetuid, (file) => file.write(bytes, offset))
    // All that was there may be written over.
    const keepOf = (size: number): number => (offset === 0 && end >= size ? 0 : size)
    // The bytes are the caller's again when this returns.
    const copy = Buffer.from(bytes)
    return this.#changeLater(content, keepOf, clearSetuid, (file) => file.write(copy, offset))
  }

  resize(ino: Ino, size: number, clearSetuid: boolean): MaybePromise<void> {
    const content = this.#contentOf(ino)
    const resize = (file: StagedFile): void => file.resize(size)
    const done = this.#isReady(content)
      ? this.#change(content, clearSetuid, resize, size)
      : this.#changeLater(content, (present) => Math.min(size, present), clearSetuid, resize, size)
    // truncate(2) opens nothing.
    if (done === undefined) this.#settle(content)
    return done
  }

  allocate(ino: Ino, range: ByteRange, how: AllocateKind): MaybePromise<void> {
    const content = this.#contentOf(ino)
    const allocate = (file: StagedFile): void => file.allocate(range, how)
    if (this.#isReady(content)) return this.#change(content, false, allocate)
    return this.#changeLater(content, (size) => size, false, allocate)
  }

  /** Gives a new inode the bytes of a staged one. */
  copy(ino: Ino, from: StagedContent & { readonly size?: number }, size: number): void {
    const content = this.#contentOf(ino)
    content.file = new StagedFile(this.#pathOf(ino), { isNew: true })
    this.#change(content, false, (file) => {
      for (let at = 0; at < size; ) {
        const bytes = from.read(at, Math.min(1 << 20, size - at))
        if (bytes.length === 0) break
        file.write(bytes, at)
        at += bytes.length
      }
      file.resize(size)
    })
    this.#settle(content)
  }

  /** Resolves when the content is in the store. */
  async store(ino: Ino, { signal }: Abortable): Promise<void> {
    const content = this.#contents.get(ino)
    if (content?.isDirty) await orAborted(this.#upload(content, { hold: true }), signal)
  }

  /** Bytes are on the disk of the staging folder. */
  sync(ino: Ino): void {
    this.#contents.get(ino)?.file?.sync()
  }

  /**
   * Calls `then` when all that has a name is in the store, before anything can be changed again. Rejects with what an upload fails with.
   */
  async drained<T>(then: () => T): Promise<T> {
    await this.#uploadAll()
    // What was changed meanwhile is less.
    const frozen = Promise.withResolvers<void>()
    this.#frozen = frozen.promise
    try {
      // What gets its first name here, or comes from another snapshot, does not wait.
      while (this.#unstored().length > 0) await this.#uploadAll()
      return then()
    } finally {
      this.#frozen = undefined
      frozen.resolve()
    }
  }

  /** Files that are not in the store, with their bytes, and what keeps them from it. */
  *pending(): Iterable<{ ino: Ino; bytes: number; failure: Error | undefined }> {
    for (const { ino, file, isDirty, failure } of this.#contents.values())
      if (isDirty && file !== undefined && this.#isNamed(ino)) yield { ino, bytes: file.size, failure }
  }

  /** Stops all uploads; what is staged stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new DOMException('the mount is gone', 'AbortError'))
    await Promise.allSettled([...this.#contents.values()].map(({ upload }) => upload))
    for (const { file } of this.#contents.values()) file?.close()
    this.#contents.clear()
  }

  #contentOf(ino: Ino): Content {
    let content = this.#contents.get(ino)
    if (content === undefined) {
      content = {
        ino,
        opens: 0,
        writers: 0,
        file: undefined,
        isDirty: false,
        generation: 0,
        held: undefined,
        upload: undefined,
        isUploading: false,
        isTrying: false,
        failure: undefined,
      }
      this.#contents.set(ino, content)
    }
    return content
  }

  #inode(ino: Ino): OwnInode {
    const inode = this.#options.tree.inode(ino)
    if (inode === undefined) throw new ChangeError('no-name')
    return inode
  }

  #isNamed(ino: Ino): boolean {
    return (this.#options.tree.inode(ino)?.nlink ?? 0) > 0
  }

  #pathOf(ino: Ino): string {
    return join(this.#options.folder, String(ino))
  }

  #isReady({ file, held }: Content): boolean {
    return file !== undefined && held === undefined && this.#frozen === undefined
  }

  /** All of a change, or none: where one fails, the content is what it was. `resizesTo`: the size that it has afterwards, where that is all. */
  #change(
    content: Content,
    clearSetuid: boolean,
    change: (file: StagedFile) => void,
    resizesTo?: number | undefined,
  ): void {
    const { tree } = this.#options
    const { ino } = content
    const file = content.file as StagedFile
    const before = file.size
    const inode = this.#inode(ino)
    const mode = clearSetuid ? withoutSetuid(inode.mode) : undefined
    content.generation++
    try {
      if (content.isDirty && resizesTo !== undefined && resizesTo < before) {
        // What is cut off cannot be put back.
        tree.wrote(ino, { size: resizesTo, mode })
        change(file)
        return
      }
      change(file)
      // Until the tree knows of it, the file is a copy: what is stored stays the content when this fails, or the process dies.
      tree.wrote(ino, { size: file.size, mode, stages: !content.isDirty })
      content.isDirty = true
    } catch (error) {
      if (!content.isDirty) {
        file.remove()
        content.file = undefined
        // Nobody is told of a part that was written behind the end.
      } else if (file.size > before) file.resize(before)
      throw error
    }
  }

  async #changeLater(
    content: Content,
    keepOf: (size: number) => number,
    clearSetuid: boolean,
    change: (file: StagedFile) => void,
    resizesTo?: number | undefined,
  ): Promise<void> {
    // truncate(2) opens nothing, and others may close meanwhile.
    content.opens++
    try {
      while (!this.#isReady(content)) {
        const others = this.#frozen ?? content.held
        // What fails for others is for them to hear of.
        const wait: Promise<unknown> | undefined =
          others === undefined
            ? this.#stage(content, keepOf(this.#inode(content.ino).size))
            : Promise.allSettled([others])
        // Nobody may see the file between its staging and the change.
        if (wait !== undefined) await orAborted(wait, this.#closed.signal)
      }
      this.#change(content, clearSetuid, change, resizesTo)
    } finally {
      content.opens--
      if (!this.#closed.signal.aborted) this.#settle(content)
    }
  }

  /** Gets the content into the staging folder, at least the first `keep` bytes of it. */
  #stage(content: Content, keep: number): Promise<void> | undefined {
    const inode = this.#inode(content.ino)
    if (inode.object === undefined || keep === 0) {
      const file = new StagedFile(this.#pathOf(content.ino), { isNew: true })
      if (keep > 0) file.resize(inode.size)
      content.file = file
      return undefined
    }
    const fetching = this.#fetch(content, inode).finally(() => {
      content.held = undefined
    })
    content.held = fetching
    return fetching
  }

  async #fetch(content: Content, { ino, object, size, sparse }: OwnInode): Promise<void> {
    const { reader, tree } = this.#options
    if (object === undefined) return
    const path = this.#pathOf(ino)
    try {
      const found = await reader.getStream(object.key, { signal: this.#closed.signal })
      if (found === undefined) throw new CacheError('missing', `${object.key} is not in the store`)
      const extents = sparse
        ? [...tree.extents(ino, 0)]
        : [{ offset: 0, length: object.size, objectOffset: 0 }]
      const sha256 = await writeFetched(path, found.body, extents, size)
      if (!sha256.equals(object.sha256))
        throw new CacheError('corrupt', `${object.key} does not have the SHA-256 of its index`)
      content.file = new StagedFile(path, { isNew: false })
    } catch (error) {
      rmSync(path, { force: true })
      throw error
    }
  }

  /** After every change of who has it open. */
  #settle(content: Content): void {
    const { ino, opens, file, isDirty, held } = content
    if (opens === 0 && held === undefined && !content.isUploading) {
      if (!this.#isNamed(ino)) {
        this.#drop(content)
        if (isDirty) this.#options.tree.forgetStaged(ino)
        return
      }
      if (!isDirty) {
        if (file !== undefined || content.upload === undefined) this.#drop(content)
        return
      }
    }
    this.#uploadWhenClosed(content)
  }

  #drop(content: Content): void {
    content.file?.remove()
    content.file = undefined
    // An upload that waits for its turn must not go on without a file, for ever.
    content.isDirty = false
    this.#contents.delete(content.ino)
  }

  #uploadWhenClosed(content: Content): void {
    if (!content.isDirty || content.writers > 0 || content.upload !== undefined || content.isTrying) return
    content.isTrying = true
    void this.#uploadForEver(content).finally(() => {
      content.isTrying = false
    })
  }

  async #uploadForEver(content: Content): Promise<void> {
    for (
      let pause = firstPause;
      content.isDirty && content.writers === 0;
      pause = Math.min(largestPause, pause * 2)
    ) {
      try {
        await this.#upload(content, { hold: false })
      } catch (error) {
        if (this.#closed.signal.aborted) return
        this.#options.logger.warn(
          { inode: content.ino, error: messageOf(error), seconds: pause / 1000 },
          'a file could not be stored; trying again',
        )
        await delay(pause, undefined, { signal: this.#closed.signal, ref: false }).catch(() => {})
        if (this.#closed.signal.aborted) return
        // It may have lost its last name meanwhile.
        if (!this.#isNamed(content.ino)) return this.#settle(content)
      }
    }
  }

  #unstored(): Content[] {
    return [...this.#contents.values()].filter(({ isDirty, ino }) => isDirty && this.#isNamed(ino))
  }

  async #uploadAll(): Promise<void> {
    const uploads = this.#unstored().map((content) => this.#upload(content, { hold: true }))
    const results = await Promise.allSettled(uploads)
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  /** Resolves when the content as it is now is stored; with `hold`, nobody changes it meanwhile. */
  #upload(content: Content, { hold }: { readonly hold: boolean }): Promise<void> {
    if (content.upload !== undefined) {
      // The one under way may be of an older state.
      return hold
        ? content.upload.catch(() => {}).then(() => this.#upload(content, { hold }))
        : content.upload
    }
    if (!content.isDirty) return Promise.resolve()
    const uploading = this.#send(content).finally(() => {
      content.upload = undefined
      content.isUploading = false
      if (content.held === uploading) content.held = undefined
    })
    content.upload = uploading
    if (hold) content.held ??= uploading
    return uploading.then(() => {
      this.#settle(content)
    })
  }

  async #send(content: Content): Promise<void> {
    const { tree, uploads, contents } = this.#options
    const signal = this.#closed.signal
    try {
      // Not at once: `held` and `upload` are set first.
      await undefined
      const store = await contents()
      using _place = await uploads.acquire({ signal })
      const { file, generation } = content
      if (file === undefined || !content.isDirty) return
      content.isUploading = true
      const { size } = file
      const ranges = file.ranges()
      const open: OpenContent = {
        path: file.path,
        ranges,
        read: async (into, offset) => file.readInto(into, offset),
        isUnchanged: async () => content.generation === generation,
        [Symbol.asyncDispose]: async () => {},
      }
      const stored = ranges.length === 0 ? { object: undefined, ranges } : await store.add(open, signal)
      if (stored === undefined || content.generation !== generation) return
      const isSparse = (stored.object?.size ?? 0) < size
      tree.stored(content.ino, {
        size,
        object: stored.object,
        extents: isSparse ? extentsOf(stored.ranges) : undefined,
      })
      content.isDirty = false
      content.failure = undefined
    } catch (error) {
      content.failure = error as Error
      throw error
    }
  }
}

/** As Linux does when who may not keep the bits changes a file: setgid without group execute is for locks, and stays. */
function withoutSetuid(mode: number): number {
  return mode & ~(setuid | (mode & groupExecute ? setgid : 0))
}

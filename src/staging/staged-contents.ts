import { join } from 'node:path'
import { type Abortable, orAborted } from '../base/abort.ts'
import { codeOf } from '../base/errors.ts'
import type { ContentStore } from '../snapshot/content-store.ts'
import { ChangeError } from '../snapshot/errors.ts'
import { withoutSetuid } from '../snapshot/setuid.ts'
import type { Ino, OwnInode } from '../snapshot/tree.ts'
import type { AllocateKind, MaybePromise, StagedContent } from '../snapshot/writable-tree.ts'
import type { ByteRange } from '../store/object-store.ts'
import { account, type Content, emptyContent, isLost, isNamed, removeFile, takeRoom } from './content.ts'
import { ContentUploads } from './content-uploads.ts'
import { fetchContent } from './fetch-content.ts'
import { GrowingContents, type GrowingContentsOptions } from './growing-contents.ts'
import { openLeft } from './left-content.ts'
import { StagedFile } from './staged-file.ts'
import type { Reliever } from './staging-room.ts'

export interface StagedContentsOptions extends GrowingContentsOptions {
  /** Where the files are; it is there. */
  readonly folder: string
  readonly contents: () => Promise<ContentStore>
  /** Nobody has the file open any more, and its content is where it is to be. */
  readonly onReleased: (ino: Ino) => void
}

/** One change of a content. */
interface Change extends Abortable {
  readonly apply: (file: StagedFile) => void
  /** How many bytes of a content of `size` must be there first. */
  readonly keep: (size: number) => number
  /** Nothing before it is changed. */
  readonly from: number
  /** Bytes of the staging area that it may take. */
  readonly takes: number
  readonly clearSetuid: boolean
  /** The size that it has afterwards, where that is all. */
  readonly resizesTo?: number | undefined
  /** The bytes that it writes, from `from` on, where that is all. */
  readonly writes?: Uint8Array | undefined
}

/**
 * Contents of a working snapshot on their way: changed in the staging folder, sent in the background once nobody has them open for writing, and then removed
 * there. What was written is never dropped: an upload that fails is tried again for ever.
 */
export class StagedContents implements Reliever {
  readonly #options: StagedContentsOptions
  readonly #growing: GrowingContents
  readonly #uploads: ContentUploads
  readonly #relief: Disposable
  readonly #contents = new Map<Ino, Content>()
  readonly #closed = new AbortController()
  /** All who want to change something wait: what there is is being published. */
  #frozen: Promise<unknown> | undefined

  constructor(options: StagedContentsOptions) {
    this.#options = options
    this.#growing = new GrowingContents(options)
    this.#uploads = new ContentUploads({
      ...options,
      growing: this.#growing,
      settle: (content) => this.#settle(content),
      closed: this.#closed.signal,
    })
    this.#relief = options.room.add(this)
  }

  /** Whether a file is being sent while it is written. */
  get isGrowing(): boolean {
    return [...this.#contents.values()].some(({ growing, writers }) => growing !== undefined && writers > 0)
  }

  get isRelieving(): boolean {
    return [...this.#contents.values()].some((content) => {
      const { held, upload, isTrying, growing } = content
      // What cannot be stored for want of room makes none.
      if (isLost(content) || codeOf(content.failure) === 'staging-full') return false
      return held !== undefined || upload !== undefined || isTrying || growing?.isUnderWay === true
    })
  }

  relieve(): void {
    for (const content of this.#contents.values()) {
      this.#growing.free(content)
      const { isDirty, held, upload, changing } = content
      // A copy of what the store has.
      if (!isDirty && held === undefined && upload === undefined && changing === 0)
        removeFile(content, this.#options.room)
    }
  }

  /** Takes up again what an earlier process has left. */
  recover(): void {
    const { tree } = this.#options
    const growing = this.#growing.left()
    for (const ino of tree.staged()) {
      const state = growing.get(ino)
      const begins = state?.freed ?? 0
      const file = openLeft({ ino, path: this.#pathOf(ino), begins }, this.#options)
      if (file === undefined) continue
      const content = this.#contentOf(ino)
      content.file = file
      if (state !== undefined && begins > 0) {
        growing.delete(ino)
        this.#growing.resume(content, file, state)
      }
      content.isDirty = true
      account(content, this.#options.room)
      this.#uploads.whenClosed(content)
    }
    // Of the others everything is here, or nothing is wanted any more.
    for (const [ino, state] of growing) this.#growing.abandonLeft(ino, state)
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

  /** Somebody has it open, or its content is on its way. */
  isHeld(ino: Ino): boolean {
    return this.#contents.has(ino)
  }

  staged(ino: Ino): StagedContent | undefined {
    return this.#contents.get(ino)?.file
  }

  stateOf(ino: Ino): 'staged' | 'uploading' | 'stored' {
    const content = this.#contents.get(ino)
    if (content === undefined || !content.isDirty) return 'stored'
    return content.isUploading || content.growing?.isUnderWay ? 'uploading' : 'staged'
  }

  failureOf(ino: Ino): Error | undefined {
    return this.#contents.get(ino)?.failure
  }

  write(
    ino: Ino,
    offset: number,
    bytes: Buffer,
    clearSetuid: boolean,
    { signal }: Abortable = {},
  ): MaybePromise<void> {
    const end = offset + bytes.length
    const change = (bytes: Buffer): Change => ({
      apply: (file) => file.write(bytes, offset),
      // All that was there may be written over.
      keep: (size) => (offset === 0 && end >= size ? 0 : size),
      from: offset,
      takes: bytes.length,
      clearSetuid,
      writes: bytes,
      signal,
    })
    const content = this.#contentOf(ino)
    const now = change(bytes)
    if (this.#isReady(content, now)) return this.#change(content, now)
    // The bytes are the caller's again when this returns.
    return this.#changeLater(content, change(Buffer.from(bytes)))
  }

  resize(ino: Ino, size: number, clearSetuid: boolean, { signal }: Abortable = {}): MaybePromise<void> {
    const content = this.#contentOf(ino)
    const { size: present, mode } = this.#inode(ino)
    if (size === present && content.file === undefined && content.held === undefined) {
      // Only the times change, as Linux does it: that is nothing to fetch the content for.
      this.#options.tree.wrote(ino, { size, mode: clearSetuid ? withoutSetuid(mode) : undefined })
      this.#settle(content)
      return
    }
    const change: Change = {
      apply: (file) => file.resize(size),
      keep: (present) => Math.min(size, present),
      from: size,
      takes: 0,
      clearSetuid,
      resizesTo: size,
      signal,
    }
    const done = this.#isReady(content, change)
      ? this.#change(content, change)
      : this.#changeLater(content, change)
    // truncate(2) opens nothing.
    if (done === undefined) this.#settle(content)
    return done
  }

  allocate(ino: Ino, range: ByteRange, how: AllocateKind, { signal }: Abortable = {}): MaybePromise<void> {
    const content = this.#contentOf(ino)
    const adds = how === 'allocate' || how === 'allocateKeepingSize'
    const change: Change = {
      apply: (file) => file.allocate(range, how),
      keep: (size) => size,
      from: adds ? Number.POSITIVE_INFINITY : range.offset,
      takes: adds ? range.length : 0,
      clearSetuid: false,
      signal,
    }
    if (this.#isReady(content, change)) return this.#change(content, change)
    return this.#changeLater(content, change)
  }

  /** Gives a new inode the bytes of a staged one. */
  copy(ino: Ino, from: StagedContent & { readonly size?: number }, size: number): void {
    const content = this.#contentOf(ino)
    content.file = new StagedFile(this.#pathOf(ino), { isNew: true })
    this.#change(content, {
      apply: (file) => {
        for (let at = 0; at < size; ) {
          const bytes = from.read(at, Math.min(1 << 20, size - at))
          if (bytes.length === 0) break
          file.write(bytes, at)
          at += bytes.length
        }
        file.resize(size)
      },
      keep: () => 0,
      from: 0,
      takes: 0,
      clearSetuid: false,
    })
    this.#settle(content)
  }

  /** Resolves when the content is in the store. */
  async store(ino: Ino, { signal }: Abortable): Promise<void> {
    const content = this.#contents.get(ino)
    if (content?.isDirty) await orAborted(this.#uploads.upload(content, { hold: true }), signal)
  }

  /** Resolves when bytes are on the disk of the staging folder. */
  async sync(ino: Ino): Promise<void> {
    await this.#contents.get(ino)?.file?.sync()
  }

  /**
   * Calls `then` when all that has a name is in the store, before anything can be changed again. Rejects with what an upload fails with.
   */
  async drained<T>(then: () => T): Promise<T> {
    await this.#uploads.all(this.#unstored())
    // What was changed meanwhile is less.
    const frozen = Promise.withResolvers<void>()
    this.#frozen = frozen.promise
    try {
      // What gets its first name here, or comes from another snapshot, does not wait.
      for (let left = this.#unstored(); left.length > 0; left = this.#unstored())
        await this.#uploads.all(left)
      return then()
    } finally {
      this.#frozen = undefined
      frozen.resolve()
    }
  }

  /** Files that are not in the store, with their bytes, and what keeps them from it. */
  *pending(): Iterable<{ ino: Ino; bytes: number; failure: Error | undefined }> {
    for (const { ino, file, isDirty, failure, growing } of this.#contents.values())
      if (isDirty && file !== undefined && isNamed(this.#options.tree, ino))
        yield { ino, bytes: file.size - (growing?.stored ?? 0), failure }
  }

  /** Stops all uploads; what is staged stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new DOMException('the mount is gone', 'AbortError'))
    this.#relief[Symbol.dispose]()
    for (const { growing } of this.#contents.values()) growing?.stop(this.#closed.signal.reason)
    await Promise.allSettled([...this.#contents.values()].map(({ upload }) => upload))
    for (const { file } of this.#contents.values()) file?.close()
    this.#contents.clear()
  }

  #contentOf(ino: Ino): Content {
    let content = this.#contents.get(ino)
    if (content === undefined) {
      content = emptyContent(ino)
      this.#contents.set(ino, content)
    }
    return content
  }

  #inode(ino: Ino): OwnInode {
    const inode = this.#options.tree.inode(ino)
    if (inode === undefined) throw new ChangeError('no-name')
    return inode
  }

  #pathOf(ino: Ino): string {
    return join(this.#options.folder, String(ino))
  }

  #isReady({ file, held, growing }: Content, { from, takes }: Change): boolean {
    if (file === undefined || held !== undefined || this.#frozen !== undefined) return false
    const isThere = growing === undefined || file.begins === 0 || !growing.covers(from)
    return isThere && this.#options.room.fits(takes)
  }

  /** All of a change, or none: where one fails, the content is what it was. */
  #change(content: Content, { apply, from, clearSetuid, resizesTo, writes }: Change): void {
    const { tree } = this.#options
    const { ino } = content
    const file = content.file as StagedFile
    const before = file.size
    const inode = this.#inode(ino)
    const mode = clearSetuid ? withoutSetuid(inode.mode) : undefined
    content.generation++
    if (content.growing?.covers(from)) this.#growing.breakUp(content)
    if (writes === undefined) content.growing?.forgetGathered()
    try {
      if (content.isDirty && resizesTo !== undefined && resizesTo < before) {
        // What is cut off cannot be put back.
        tree.wrote(ino, { size: resizesTo, mode })
        apply(file)
      } else {
        apply(file)
        // Until the tree knows of it, the file is a copy: what is stored stays the content when this fails, or the process dies.
        tree.wrote(ino, { size: file.size, mode, stages: !content.isDirty })
        content.isDirty = true
      }
    } catch (error) {
      content.growing?.forgetGathered()
      if (!content.isDirty) {
        file.remove()
        content.file = undefined
        // Nobody is told of a part that was written behind the end.
      } else if (file.size > before) file.resize(before)
      account(content, this.#options.room)
      throw error
    }
    if (resizesTo !== undefined) content.frontier = Math.min(content.frontier, resizesTo)
    if (resizesTo === 0) content.isStreamed = true
    account(content, this.#options.room)
    if (writes !== undefined) this.#growing.grow(content, writes, from)
  }

  async #changeLater(content: Content, change: Change): Promise<void> {
    const { room } = this.#options
    // truncate(2) opens nothing, and others may close meanwhile.
    content.opens++
    content.changing++
    try {
      while (!this.#isReady(content, change)) {
        const others = this.#frozen ?? content.held
        // What fails for others is for them to hear of.
        const wait = others === undefined ? this.#prepare(content, change) : Promise.allSettled([others])
        // Nobody may see the file between its staging and the change.
        if (wait !== undefined) await orAborted(orAborted(wait, change.signal), this.#closed.signal)
      }
      this.#change(content, change)
    } finally {
      content.opens--
      content.changing--
      if (!this.#closed.signal.aborted) {
        this.#settle(content)
        room.relieved()
      }
    }
  }

  /** Does the next thing that is in the way of a change; undefined when it is done at once. */
  #prepare(content: Content, { keep, takes }: Change): Promise<unknown> | undefined {
    const { room } = this.#options
    if (content.file === undefined) {
      const { size, object } = this.#inode(content.ino)
      const kept = keep(size)
      // What is fetched is fetched whole.
      const needed = (kept > 0 && object !== undefined ? object.size : 0) + takes
      return room.fits(needed) ? this.#stage(content, kept) : room.freed(needed)
    }
    if (!room.fits(takes)) return room.freed(takes)
    // What it changes is in parts, and nowhere else: it becomes an object, to be fetched.
    return this.#uploads.upload(content, { hold: true })
  }

  /** Gets the content into the staging folder, at least the first `keep` bytes of it. */
  #stage(content: Content, keep: number): Promise<void> | undefined {
    const { store, tree, room } = this.#options
    const inode = this.#inode(content.ino)
    const { object } = inode
    const path = this.#pathOf(content.ino)
    if (object === undefined || keep === 0) {
      const file = new StagedFile(path, { isNew: true })
      if (keep > 0) file.resize(inode.size)
      content.file = file
      content.isStreamed = keep === 0
      content.frontier = 0
      return undefined
    }
    // At once: others must not take the same room meanwhile.
    takeRoom(content, object.size, room)
    const fetching = fetchContent(path, { ...inode, object }, { store, tree, signal: this.#closed.signal })
      .then((file) => {
        content.file = file
        content.isStreamed = false
      })
      .finally(() => {
        content.held = undefined
        account(content, room)
        room.relieved()
      })
    content.held = fetching
    return fetching
  }

  /** After every change of who has it open. */
  #settle(content: Content): void {
    const { ino, opens, file, isDirty, held } = content
    if (opens === 0 && held === undefined && !content.isUploading) {
      if (!isNamed(this.#options.tree, ino)) {
        this.#drop(content)
        if (isDirty) this.#options.tree.forgetStaged(ino)
        return
      }
      if (!isDirty) {
        if (file !== undefined || content.upload === undefined) this.#drop(content)
        return
      }
    }
    this.#uploads.whenClosed(content)
  }

  #drop(content: Content): void {
    this.#growing.breakUp(content)
    removeFile(content, this.#options.room)
    // An upload that waits for its turn must not go on without a file, for ever.
    content.isDirty = false
    this.#contents.delete(content.ino)
    this.#options.onReleased(content.ino)
  }

  #unstored(): Content[] {
    const { tree } = this.#options
    return [...this.#contents.values()].filter(({ isDirty, ino }) => isDirty && isNamed(tree, ino))
  }
}

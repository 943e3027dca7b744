import { codeOf, messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { fileKey } from '../destination/layout.ts'
import type { Ino } from '../snapshot/tree.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { account, type Content } from './content.ts'
import { GrowingRows, type GrowingState } from './growing-rows.ts'
import { GrowingUpload, type GrowingUploadOptions, partSizeFor } from './growing-upload.ts'
import type { StagedFile } from './staged-file.ts'
import type { StagingResources } from './staging-resources.ts'
import type { WorkingTree } from './working-tree.ts'

export interface GrowingContentsOptions extends StagingResources {
  readonly tree: WorkingTree
  readonly store: ObjectStore
  readonly repository: string
  readonly logger: Logger
}

/** Bytes that a file has before its upload begins while it is being written. Smaller ones, once they are closed, may turn out to be in the store already. */
const streamedFrom = 64 << 20

/** The contents of a working snapshot that are sent while they are being written: when that begins, what it frees here, and when it is given up. */
export class GrowingContents {
  readonly #options: GrowingContentsOptions
  readonly #rows: GrowingRows

  constructor(options: GrowingContentsOptions) {
    this.#options = options
    this.#rows = new GrowingRows(options.tree.database)
  }

  /** What an earlier process has begun. */
  left(): Map<Ino, GrowingState> {
    return new Map(this.#rows.all().map(({ ino, state }) => [ino, state]))
  }

  /** Goes on with what an earlier process has begun. */
  resume(content: Content, file: StagedFile, state: GrowingState): void {
    // Of the size that it has begun with.
    const partSize = state.parts[0]?.length ?? this.#partSize
    content.growing = GrowingUpload.resume(state, this.#uploadOptions(content, file, partSize))
  }

  /** Has the parts go that an earlier process has sent of what needs them no more. */
  abandonLeft(ino: Ino, { id, upload }: GrowingState): void {
    const { store, repository } = this.#options
    this.#rows.remove(ino)
    store.parts.abandon(fileKey(repository, id), upload).catch((error: unknown) => this.#warn(ino, error))
  }

  /** These bytes of the content have been written, at `offset`: it may be sent, as far as it goes. */
  grow(content: Content, bytes: Uint8Array, offset: number): void {
    const { file, isStreamed, writers } = content
    content.frontier = Math.max(content.frontier, offset + bytes.length)
    if (!isStreamed || writers === 0 || file === undefined) {
      content.growing?.forgetGathered()
      return
    }
    if (content.growing === undefined) {
      // It must not fill the staging area before its first parts can go, alone or with others.
      const partSize = this.#partSize
      if (content.room < (this.#options.room.isShort ? partSize : streamedFrom)) return
      content.growing = new GrowingUpload(
        this.#options.ids.next(),
        this.#uploadOptions(content, file, partSize),
      )
    }
    content.growing.wrote(bytes, offset)
    content.growing.grow(content.frontier)
  }

  get #partSize(): number {
    return partSizeFor(this.#options.room.limit)
  }

  #uploadOptions(content: Content, file: StagedFile, partSize: number): GrowingUploadOptions {
    const { store, repository, memory, gathering, buffers, hashes, room, tree } = this.#options
    return {
      store,
      repository,
      file,
      partSize,
      memory,
      gathering,
      buffers,
      hashes,
      remember: (state) => {
        this.#rows.put(content.ino, state)
        // What is given up here must not be forgotten with the system.
        if (state.freed > 0) tree.sync()
      },
      onProgress: () => {
        content.failure = content.growing?.failure
        // Who sends the last of it does it there.
        if (content.held === undefined) this.resendIfGone(content)
        if (room.isShort) this.free(content)
        room.relieved()
      },
    }
  }

  /** Gives up what the store has of it. */
  free(content: Content): void {
    try {
      if (content.growing?.free()) account(content, this.#options.room)
    } catch (error) {
      // It stays, and takes room.
      this.#warn(content.ino, error)
    }
  }

  /** Somebody else may have given its parts up, while all of it is still here. */
  resendIfGone(content: Content): void {
    if (codeOf(content.failure) === 'changed' && content.file?.begins === 0) this.breakUp(content)
  }

  /** It is sent whole when it is closed. */
  breakUp(content: Content): void {
    const { growing, ino } = content
    if (growing === undefined) return
    content.growing = undefined
    content.isStreamed = false
    this.#rows.remove(ino)
    this.abandon(ino, growing)
  }

  /** Stops it, and has its parts go. */
  abandon(ino: Ino, growing: GrowingUpload): void {
    growing.abandon().catch((error: unknown) => this.#warn(ino, error))
  }

  #warn(ino: Ino, error: unknown): void {
    this.#options.logger.warn({ inode: ino, error: messageOf(error) }, 'the upload of a file in parts')
  }
}

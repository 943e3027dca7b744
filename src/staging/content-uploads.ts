import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Semaphore } from '../base/semaphore.ts'
import { type ContentStore, extentsOf } from '../snapshot/content-store.ts'
import { type Content, isNamed, removeFile } from './content.ts'
import type { GrowingContents } from './growing-contents.ts'
import { sendContent } from './send-content.ts'
import type { StagingRoom } from './staging-room.ts'
import type { WorkingTree } from './working-tree.ts'

export interface ContentUploadsOptions {
  readonly tree: WorkingTree
  readonly contents: () => Promise<ContentStore>
  /** At a time, of all working snapshots. */
  readonly uploads: Semaphore
  readonly room: StagingRoom
  readonly growing: GrowingContents
  readonly logger: Logger
  /** Called when an upload of a content is over, or it is no longer wanted. */
  readonly settle: (content: Content) => void
  /** Ends all that is under way. */
  readonly closed: AbortSignal
}

/** Milliseconds before an upload that failed is tried again, doubled up to the largest: what is staged is never given up. */
const firstPause = 1_000
const largestPause = 60_000

/** Has the store have contents of a working snapshot, in the background or when somebody waits for it. */
export class ContentUploads {
  readonly #options: ContentUploadsOptions

  constructor(options: ContentUploadsOptions) {
    this.#options = options
  }

  /** Resolves when these are stored, as they are now, and nobody changes them meanwhile. Rejects with what the first of them fails with, after all were tried. */
  async all(contents: readonly Content[]): Promise<void> {
    const results = await Promise.allSettled(contents.map((content) => this.upload(content, { hold: true })))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  /** Has it sent once nobody has it open for writing any more, and again until it is stored. */
  whenClosed(content: Content): void {
    if (!content.isDirty || content.writers > 0 || content.upload !== undefined || content.isTrying) return
    content.isTrying = true
    void this.#tryForEver(content)
  }

  async #tryForEver(content: Content): Promise<void> {
    const { tree, room, logger, closed, settle } = this.#options
    try {
      for (
        let pause = firstPause;
        content.isDirty && content.writers === 0;
        pause = Math.min(largestPause, pause * 2)
      ) {
        try {
          await this.upload(content, { hold: false })
        } catch (error) {
          if (closed.aborted) return
          logger.warn(
            { inode: content.ino, error: messageOf(error), seconds: pause / 1000 },
            'a file could not be stored; trying again',
          )
          await delay(pause, undefined, { signal: closed, ref: false }).catch(() => {})
          if (closed.aborted) return
          // It may have lost its last name meanwhile.
          if (!isNamed(tree, content.ino)) return settle(content)
        }
      }
    } finally {
      // At once: who closes it next begins anew.
      content.isTrying = false
      room.relieved()
    }
  }

  /** Resolves when the content as it is now is stored; with `hold`, nobody changes it meanwhile. */
  upload(content: Content, { hold }: { readonly hold: boolean }): Promise<void> {
    if (content.upload !== undefined) {
      // The one under way may be of an older state.
      return hold ? content.upload.catch(() => {}).then(() => this.upload(content, { hold })) : content.upload
    }
    if (!content.isDirty) return Promise.resolve()
    const uploading = this.#send(content).finally(() => {
      content.upload = undefined
      content.isUploading = false
      if (content.held === uploading) content.held = undefined
      // Stored, and open, it takes the same room; and what has failed makes none.
      this.#options.room.relieved()
    })
    content.upload = uploading
    // Behind its last part nothing can come.
    if (hold || content.growing !== undefined) content.held ??= uploading
    return uploading.then(() => {
      this.#options.settle(content)
    })
  }

  async #send(content: Content): Promise<void> {
    const { tree, uploads, contents, room, growing: growingContents } = this.#options
    const signal = this.#options.closed
    try {
      // Not at once: `held` and `upload` are set first.
      await undefined
      const store = await contents()
      using _place = await uploads.acquire({ signal })
      const { file, generation, growing } = content
      if (file === undefined || !content.isDirty) return
      // Somebody has opened it again, and writes: whoever closes it then sends the last of it.
      if (growing !== undefined && content.held !== content.upload) return
      content.isUploading = true
      const { size } = file
      const stored = await sendContent(content, file, store, signal)
      if (stored === undefined || content.generation !== generation) return
      const isSparse = (stored.object?.size ?? 0) < size
      const extents = isSparse ? extentsOf(stored.ranges) : undefined
      // Of what was freed here, the system must not remember that it grows.
      tree.stored(content.ino, { size, object: stored.object, extents }, { isDurable: file.begins > 0 })
      content.isDirty = false
      content.failure = undefined
      content.growing = undefined
      // It is in the object.
      if (file.begins > 0) removeFile(content, room)
      if (growing !== undefined && growing.id !== stored.object?.id)
        growingContents.abandon(content.ino, growing)
    } catch (error) {
      content.failure = error as Error
      growingContents.resendIfGone(content)
      throw error
    }
  }
}

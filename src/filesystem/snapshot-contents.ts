import type { BlobSource } from '../cache/blob-source.ts'
import { CacheError } from '../cache/errors.ts'
import { FuseError } from '../fuse/errno.ts'
import type { MaybePromise, RequestContext } from '../fuse/operations.ts'
import type { Inode, Tree } from '../snapshot/tree.ts'
import { FileType } from './attributes.ts'
import { DropBehind, type DropPages } from './drop-behind.ts'
import { stretchesOf, zeroPieces } from './holes.ts'
import type { MountedSnapshot } from './mounted-snapshot.ts'
import { readBlob } from './read-blob.ts'
import { readStretches } from './read-stretches.ts'
import { ReadingOrder } from './reading-order.ts'
import { then } from './then.ts'

/** An inode, and where it is. */
export interface FoundInode {
  readonly snapshot: MountedSnapshot
  readonly tree: Tree
  readonly inode: Inode
}

export interface SnapshotContentsOptions {
  readonly source: BlobSource
  /** Asks the kernel to give pages back. */
  readonly dropPages: DropPages
  /** Throws, or rejects with, ESTALE for what is gone. */
  readonly find: (nodeid: number, signal: AbortSignal) => MaybePromise<FoundInode>
}

/** The contents of snapshots' files, wherever they are: staged here, in the store, or nowhere as holes are. */
export class SnapshotContents {
  readonly #options: SnapshotContentsOptions
  readonly #readingOrder: ReadingOrder
  readonly #dropBehind: DropBehind

  constructor(options: SnapshotContentsOptions) {
    this.#options = options
    this.#readingOrder = new ReadingOrder(options.source)
    this.#dropBehind = new DropBehind(options.dropPages)
  }

  read(
    nodeid: number,
    offset: number,
    size: number,
    context: RequestContext,
  ): MaybePromise<readonly Uint8Array[]> {
    return then(this.#options.find(nodeid, context.signal), (found) => {
      const { snapshot, inode } = found
      if ((inode.mode & FileType.mask) !== FileType.file) throw new FuseError('EINVAL')
      const staged = snapshot.working?.stagedContent(inode.ino)
      if (staged !== undefined)
        return offset < staged.begins
          ? this.#readStored(found, nodeid, offset, size, context)
          : [staged.read(offset, size)]
      const length = Math.min(size, inode.size - offset)
      return length <= 0 ? [] : this.#readObject(found, nodeid, { offset, length }, context.signal)
    })
  }

  #readObject(
    { tree, inode }: FoundInode,
    nodeid: number,
    range: { readonly offset: number; readonly length: number },
    signal: AbortSignal,
  ): MaybePromise<readonly Uint8Array[]> {
    const { offset, length } = range
    const { object } = inode
    if (object === undefined) return zeroPieces(length)
    const { source } = this.#options
    const answer = inode.sparse
      ? readStretches(source, object, stretchesOf(tree.extents(inode.ino, offset), range), signal)
      : readBlob(source, object, { offset, size: length }, signal)
    // After our own request, so that what is wanted now goes out first.
    this.#dropBehind.noteRead(nodeid, inode.size, offset, length)
    if (offset === 0) this.#readingOrder.started(tree, inode.ino)
    if (answer instanceof Promise) answer.catch((error: unknown) => this.#forgetIfCorrupt(error, nodeid))
    return answer
  }

  /** What is on its way to the store is read when it is there. */
  async #readStored(
    { snapshot, inode }: FoundInode,
    nodeid: number,
    offset: number,
    size: number,
    context: RequestContext,
  ): Promise<readonly Uint8Array[]> {
    await snapshot.working?.store(inode.ino, context)
    return await this.read(nodeid, offset, size, context)
  }

  /** The end of a large object tells that it is not what its index says: then the kernel must not keep what it has of it. */
  #forgetIfCorrupt(error: unknown, nodeid: number): void {
    if (error instanceof CacheError && error.code === 'corrupt') this.#options.dropPages(nodeid, 0, 0)
  }
}

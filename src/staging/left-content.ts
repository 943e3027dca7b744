import { existsSync } from 'node:fs'
import type { Logger } from '../base/log.ts'
import type { Ino } from '../snapshot/tree.ts'
import { StagedFile } from './staged-file.ts'
import type { WorkingTree } from './working-tree.ts'

export interface LeftContent {
  readonly ino: Ino
  readonly path: string
  /** Before that its bytes are in the store, as those of an upload that goes on. */
  readonly begins: number
}

/**
 * Opens what an earlier process has staged of a file, and has the tree know of its last writes. undefined: the system's own crash has taken it, or its end. Nobody had waited for that (fsync), so
 * that what was stored last is the content again.
 */
export function openLeft(
  { ino, path, begins }: LeftContent,
  { tree, logger }: { readonly tree: WorkingTree; readonly logger: Logger },
): StagedFile | undefined {
  const isNew = !existsSync(path)
  const file = isNew && begins === 0 ? undefined : new StagedFile(path, { isNew, begins })
  if (file === undefined || file.size < (tree.inode(ino)?.size ?? 0)) {
    logger.error({ inode: ino, path }, 'what was written to a file is lost')
    if (file === undefined || begins === 0) {
      tree.lost(ino)
      file?.remove()
      return undefined
    }
    if (file.size < begins) file.resize(begins)
  }
  learnWritten(tree, ino, file)
  return file
}

/** The last writes have reached the file, and maybe not the tree. */
function learnWritten(tree: WorkingTree, ino: Ino, file: StagedFile): void {
  const inode = tree.inode(ino)
  if (inode === undefined) return
  const { size, ctime } = inode
  const known = ctime.seconds * 1000 + ctime.nanoseconds / 1e6
  if (size !== file.size || file.written > known)
    tree.wrote(ino, { size: file.size, at: Math.max(file.written, known) })
}

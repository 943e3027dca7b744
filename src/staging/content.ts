import { codeOf } from '../base/errors.ts'
import type { Ino } from '../snapshot/tree.ts'
import type { GrowingUpload } from './growing-upload.ts'
import type { StagedFile } from './staged-file.ts'
import type { StagingRoom } from './staging-room.ts'
import type { WorkingTree } from './working-tree.ts'

/** The content of one inode, as far as somebody has it open or it is not in the store. */
export interface Content {
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
  /** It was written from its start on, and may be sent while that goes on. */
  isStreamed: boolean
  /** Where the last byte behind all others was written. */
  frontier: number
  growing: GrowingUpload | undefined
  /** Changes that wait, for which it may have been fetched. */
  changing: number
  /** Bytes of the staging area that it takes. */
  room: number
}

export function emptyContent(ino: Ino): Content {
  return {
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
    isStreamed: false,
    frontier: 0,
    growing: undefined,
    changing: 0,
    room: 0,
  }
}

/** Neither its parts nor its bytes are there any more: only its removal helps. */
export function isLost({ failure, file }: Content): boolean {
  return codeOf(failure) === 'changed' && file !== undefined && file.begins > 0
}

/** Whether the file of a content has a name; what has none is wanted only by who has it open. */
export function isNamed(tree: WorkingTree, ino: Ino): boolean {
  return (tree.inode(ino)?.nlink ?? 0) > 0
}

/** From the staging folder. */
export function removeFile(content: Content, room: StagingRoom): void {
  // Who waits for room is to find it.
  content.file?.remove({ atOnce: room.isShort })
  content.file = undefined
  account(content, room)
}

/** Has it take what its file takes of the disk. */
export function account(content: Content, room: StagingRoom): void {
  takeRoom(content, content.file?.room ?? 0, room)
}

/** Has it take this many bytes, and no others. */
export function takeRoom(content: Content, bytes: number, room: StagingRoom): void {
  const more = bytes - content.room
  content.room = bytes
  if (more !== 0) room.changed(more)
}

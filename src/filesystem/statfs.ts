import type { Kstatfs } from '../fuse/protocol.ts'

const blockSize = 4096
/** 1 PiB. */
const unlimitedBlocks = 2 ** 38
const unlimitedInodes = 2 ** 31

export interface Contents {
  readonly bytes: number
  readonly inodes: number
  /** A store has no end that it tells of; tools that look for room before they write must find some. */
  readonly isWritable: boolean
}

/** What `df` shows. */
export function statfsOf({ bytes, inodes, isWritable }: Contents): Kstatfs {
  const [freeBlocks, freeInodes] = isWritable ? [unlimitedBlocks, unlimitedInodes] : [0, 0]
  return {
    // Never 0, or `df` leaves the mount out.
    blocks: Math.max(1, Math.ceil(bytes / blockSize)) + freeBlocks,
    bfree: freeBlocks,
    bavail: freeBlocks,
    files: Math.max(1, inodes) + freeInodes,
    ffree: freeInodes,
    bsize: blockSize,
    namelen: 255,
    frsize: blockSize,
    padding: 0,
    spare0: 0,
    spare1: 0,
    spare2: 0,
  }
}

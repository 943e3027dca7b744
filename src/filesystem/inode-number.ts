import type { Ino } from '../snapshot/tree.ts'

/**
 * Inode numbers of the mount: slot × 2³² + ino, a safe integer. Slot 0 holds what lies above the snapshots; each snapshot that is
 * shown, and each later state of it, has a slot of its own. No number is ever used for something else while the mount lives, so the
 * kernel never mistakes one file for another.
 */
const slotSize = 2 ** 32

/** Of the mount's top folder (`FUSE_ROOT_ID`). */
export const rootNodeid = 1

/** 2⁵³ ÷ 2³². */
export const slotLimit = 2 ** 21

export function nodeidOf(slot: number, ino: number): number {
  return slot * slotSize + ino
}

export function slotOf(nodeid: number): number {
  return Math.floor(nodeid / slotSize)
}

export function inoOf(nodeid: number): Ino {
  return (nodeid >>> 0) as Ino
}

import { permissionsOf } from './dispatch-change-row.ts'
import type { AttributeChanges, ChangedTime } from './operations.ts'
import { type SetattrIn, SetattrValid } from './protocol.ts'
import type { FieldsOf } from './struct.ts'

/**
 * What a SETATTR asks for. Whose handle it came with (FATTR_FH) and its lock owner say nothing here, and times of change (FATTR_CTIME) come only with
 * WRITEBACK_CACHE.
 */
export function attributeChangesOf(asked: FieldsOf<typeof SetattrIn>): AttributeChanges {
  const has = (bit: number): boolean => (asked.valid & bit) !== 0
  const timeOf = (set: number, now: number, time: ChangedTime): ChangedTime | 'now' | undefined => {
    // With …_NOW the other bit is set as well, and the time is the caller's kernel's.
    if (has(now)) return 'now'
    return has(set) ? time : undefined
  }
  return {
    mode: has(SetattrValid.MODE) ? permissionsOf(asked.mode) : undefined,
    uid: has(SetattrValid.UID) ? asked.uid : undefined,
    gid: has(SetattrValid.GID) ? asked.gid : undefined,
    size: has(SetattrValid.SIZE) ? asked.size : undefined,
    atime: timeOf(SetattrValid.ATIME, SetattrValid.ATIME_NOW, {
      seconds: asked.atime,
      nanoseconds: asked.atimensec,
    }),
    mtime: timeOf(SetattrValid.MTIME, SetattrValid.MTIME_NOW, {
      seconds: asked.mtime,
      nanoseconds: asked.mtimensec,
    }),
    clearSetuid: has(SetattrValid.KILL_SUIDGID),
  }
}

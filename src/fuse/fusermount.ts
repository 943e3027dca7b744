import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { closeSync } from 'node:fs'
import { receiveDescriptor, socketPair } from '../base/descriptor-passing.ts'
import { codeOf, messageOf } from '../base/errors.ts'
import { isInPath } from '../base/search-path.ts'
import { complaintOf, MountError } from './mount-error.ts'
import { noDevice, noFusermount } from './no-fuse.ts'

/** The setuid program that mounts and unmounts for an ordinary user: of libfuse 3, or of libfuse 2 where there is no other. */
export function fusermountProgram(searchPath?: string): string {
  return isInPath('fusermount3', searchPath) ? 'fusermount3' : 'fusermount'
}

/**
 * Mounts for an ordinary user through the setuid program `fusermount3`, which opens /dev/fuse, mounts, and hands the descriptor back
 * over a socket whose number it finds in `_FUSE_COMMFD` (libfuse's own protocol). Needs koffi for the receiving.
 */
export function mountWithFusermount(mountpoint: string, options: string): number {
  const [ours, theirs] = socketPair()
  try {
    const result = spawnFusermount(mountpoint, options, theirs)
    if (result.status !== 0) throw failure(result, mountpoint)
    return receiveDescriptor(ours)
  } finally {
    closeSync(ours)
  }
}

/** Closes `theirs`: while a copy of it is open, receiving would wait for what a program that sent nothing has not sent. */
function spawnFusermount(mountpoint: string, options: string, theirs: number): SpawnSyncReturns<Buffer> {
  try {
    return spawnSync(fusermountProgram(), ['-o', options, '--', mountpoint], {
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      env: { ...process.env, _FUSE_COMMFD: '3', LC_ALL: 'C' },
    })
  } finally {
    closeSync(theirs)
  }
}

function failure({ error, stderr }: SpawnSyncReturns<Buffer>, mountpoint: string): MountError {
  if (codeOf(error) === 'ENOENT') return noFusermount(error)
  const reason = error === undefined ? complaintOf(stderr) : messageOf(error)
  // Its own words (fusermount.c of libfuse), here for what it is refused with the user's rights.
  if (/failed to open .*: Permission denied/.test(reason)) return noDevice('EACCES')
  if (/device not found/.test(reason)) return noDevice('ENOENT')
  return new MountError('refused', `cannot mount at ${mountpoint}: ${reason}`)
}

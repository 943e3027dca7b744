import { spawnSync } from 'node:child_process'
import { closeSync } from 'node:fs'
import { receiveDescriptor, socketPair } from '../base/descriptor-passing.ts'
import { messageOf } from '../base/errors.ts'
import { MountError } from './mount-error.ts'

/**
 * Mounts for an ordinary user through the setuid program `fusermount3`, which opens /dev/fuse, mounts, and hands the descriptor back
 * over a socket whose number it finds in `_FUSE_COMMFD` (libfuse's own protocol). Needs koffi for the receiving.
 */
export function mountWithFusermount(mountpoint: string, options: string): number {
  const [ours, theirs] = socketPair()
  try {
    const result = spawnSync('fusermount3', ['-o', options, '--', mountpoint], {
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      env: { ...process.env, _FUSE_COMMFD: '3', LC_ALL: 'C' },
    })
    if (result.status !== 0)
      throw new MountError('refused', `cannot mount at ${mountpoint}: ${reason(result)}`)
    return receiveDescriptor(ours)
  } finally {
    closeSync(ours)
    closeSync(theirs)
  }
}

function reason({ error, stderr }: { error?: Error; stderr: Buffer | null }): string {
  if (error !== undefined) {
    const missing = 'code' in error && error.code === 'ENOENT'
    return missing
      ? 'fusermount3 is not installed (package fuse3), and only root can do without'
      : messageOf(error)
  }
  return String(stderr)
    .trim()
    .replaceAll(/\s*\n\s*/g, ' · ')
}

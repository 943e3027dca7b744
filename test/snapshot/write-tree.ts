import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { FileName, Timestamp } from '../../src/snapshot/tree.ts'
import { type NewInode, type NewObject, WorkingIndex } from '../../src/snapshot/working-index.ts'
import { type IndexTotals, writeIndex } from '../../src/snapshot/write-index.ts'

/** A folder of the test's own, removed when it ends. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jbfs-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export const epoch: Timestamp = { seconds: 0, nanoseconds: 0 }

export function folderInode(given: Partial<NewInode> = {}): NewInode {
  return { ...fileInode({ mode: 0o40755 }), ...given }
}

/** A regular file, empty unless told otherwise. */
export function fileInode(given: Partial<NewInode> = {}): NewInode {
  return { mode: 0o100644, uid: 0, gid: 0, rdev: 0, size: 0, mtime: epoch, ctime: epoch, ...given }
}

export function symlinkInode(target: string): NewInode {
  return fileInode({ mode: 0o120777, size: target.length, target })
}

export function objectOf(n: number, size: number): NewObject {
  return {
    id: n.toString(16).padStart(24, '0'),
    size,
    sha256: createHash('sha256').update(`${n}`).digest(),
  }
}

export function nameOf(text: string): FileName {
  return text as FileName
}

/** Writes a finished index to `path`. `fill` is given a working one with an empty top folder, ino 1. */
export function writeTree(
  path: string,
  fill: (working: WorkingIndex) => void,
  top: NewInode = folderInode(),
): IndexTotals {
  using working = new WorkingIndex(':memory:')
  working.addInode(top)
  fill(working)
  return writeIndex(working, path)
}

import { silentLogger } from '../../src/base/log.ts'
import { Errno, FuseError } from '../../src/fuse/errno.ts'
import type { Entry, FuseOperations } from '../../src/fuse/operations.ts'
import type { Attr } from '../../src/fuse/protocol.ts'
import { Session } from '../../src/fuse/session.ts'
import { KernelDouble } from './kernel-double.ts'

export const attr = (ino: number, mode = 0o100644, size = 5): Attr => ({
  ino,
  size,
  blocks: 1,
  atime: 0,
  mtime: -5,
  ctime: 0,
  atimensec: 0,
  mtimensec: 999_999_999,
  ctimensec: 0,
  mode,
  nlink: 1,
  uid: 0,
  gid: 0,
  rdev: 0,
  blksize: 4096,
  flags: 0,
})
export const entry = (ino: number): Entry => ({ attr: attr(ino), attrValid: 1.5, entryValid: 2 ** 31 })

const nothing: FuseOperations = {
  lookup: () => undefined,
  forget: () => {},
  getattr: (nodeid) => ({ attr: attr(nodeid), attrValid: 1 }),
  readlink: () => 'target',
  read: () => [],
  readdir: () => {},
  statfs: () => {
    throw new FuseError('EIO')
  },
  getxattr: () => undefined,
  listxattr: () => [],
  lseek: () => undefined,
}

/** A session that serves `operations` to a double of the kernel; what they lack answers as if there were nothing. */
export function served(operations: Partial<FuseOperations>): {
  kernel: KernelDouble
  session: Session
  done: Promise<void>
} {
  const kernel = new KernelDouble()
  const session = new Session({
    channel: kernel,
    operations: { ...nothing, ...operations },
    logger: silentLogger,
    toErrno: (error) => (error instanceof FuseError ? Errno[error.code] : Errno.EIO),
    negativeValid: 7,
    enforceAcls: false,
  })
  return { kernel, session, done: session.run() }
}

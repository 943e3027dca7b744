import { JbfsError, messageOf } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { CacheErrorCode } from '../cache/errors.ts'
import type { DestinationErrorCode } from '../destination/errors.ts'
import type { ForeignErrorCode } from '../foreign/errors.ts'
import { Errno, type ErrnoName, FuseError } from '../fuse/errno.ts'
import type { ChangeErrorCode, IndexCacheErrorCode, SnapshotErrorCode } from '../snapshot/errors.ts'
import type { StoreErrorCode } from '../store/errors.ts'

interface Row {
  readonly errno: ErrnoName
  readonly level: 'debug' | 'warn' | 'error'
}

/**
 * What a process at the mount is told when something below fails, and how loudly the log says it: the one place where this is
 * decided. A code without a row does not compile.
 */
const table = {
  unavailable: { errno: 'EIO', level: 'error' },
  timeout: { errno: 'EIO', level: 'error' },
  'access-denied': { errno: 'EACCES', level: 'error' },
  'no-bucket': { errno: 'EIO', level: 'error' },
  tls: { errno: 'EIO', level: 'error' },
  exists: { errno: 'EIO', level: 'error' },
  'snapshot-exists': { errno: 'EIO', level: 'error' },
  // An object outside the snapshots that was replaced while it was being read.
  changed: { errno: 'ESTALE', level: 'warn' },
  invalid: { errno: 'EIO', level: 'error' },
  unsupported: { errno: 'EIO', level: 'error' },
  'read-only': { errno: 'EROFS', level: 'error' },
  'bad-manifest': { errno: 'EIO', level: 'warn' },
  'no-manifest': { errno: 'EIO', level: 'warn' },
  'no-index': { errno: 'EIO', level: 'warn' },
  elsewhere: { errno: 'EIO', level: 'warn' },
  'bad-index': { errno: 'EIO', level: 'warn' },
  foreign: { errno: 'EIO', level: 'warn' },
  'bad-name': { errno: 'EINVAL', level: 'debug' },
  'too-new': { errno: 'EIO', level: 'warn' },
  'cache-full': { errno: 'ENOSPC', level: 'error' },
  'cache-unusable': { errno: 'EIO', level: 'error' },
  'bad-database': { errno: 'EIO', level: 'warn' },
  'bad-query': { errno: 'EIO', level: 'warn' },
  'query-limit': { errno: 'EIO', level: 'warn' },
  'bad-packing': { errno: 'EIO', level: 'warn' },
  'unpack-limit': { errno: 'EIO', level: 'warn' },
  'no-unpacker': { errno: 'EIO', level: 'error' },
  'name-taken': { errno: 'EEXIST', level: 'debug' },
  'no-name': { errno: 'ENOENT', level: 'debug' },
  'not-empty': { errno: 'ENOTEMPTY', level: 'debug' },
  'is-folder': { errno: 'EISDIR', level: 'debug' },
  'no-folder': { errno: 'ENOTDIR', level: 'debug' },
  'into-itself': { errno: 'EINVAL', level: 'debug' },
  'not-permitted': { errno: 'EPERM', level: 'debug' },
  'no-attribute': { errno: 'ENODATA', level: 'debug' },
  'attribute-taken': { errno: 'EEXIST', level: 'debug' },
  'too-large': { errno: 'EFBIG', level: 'debug' },
  'not-possible': { errno: 'EOPNOTSUPP', level: 'debug' },
  'bad-place': { errno: 'EPERM', level: 'debug' },
  'other-snapshot': { errno: 'EXDEV', level: 'debug' },
  'staging-full': { errno: 'ENOSPC', level: 'error' },
  'staging-failed': { errno: 'EIO', level: 'error' },
  // All other faults of a destination end a mount before it is one.
  'lease-lost': { errno: 'EROFS', level: 'error' },
  missing: { errno: 'EIO', level: 'error' },
  corrupt: { errno: 'EIO', level: 'error' },
} as const satisfies Record<
  | StoreErrorCode
  | SnapshotErrorCode
  | ChangeErrorCode
  | IndexCacheErrorCode
  | CacheErrorCode
  | ForeignErrorCode
  | Extract<DestinationErrorCode, 'lease-lost'>,
  Row
>

/** The error number for anything an operation throws; logs what is not an ordinary answer. */
export function errorToErrno(error: unknown, operation: string, logger: Logger): number {
  if (error instanceof FuseError) return Errno[error.code]
  const row = error instanceof JbfsError ? (table as Record<string, Row>)[error.code] : undefined
  if (row === undefined) {
    const stack = error instanceof Error ? error.stack : undefined
    logger.error(
      { operation, error: messageOf(error), stack },
      'an operation failed in a way that was not foreseen',
    )
    return Errno.EIO
  }
  logger[row.level]({ operation, code: (error as JbfsError).code }, messageOf(error))
  return Errno[row.errno]
}

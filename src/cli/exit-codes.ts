import { JbfsError } from '../base/errors.ts'
import type { CacheErrorCode } from '../cache/errors.ts'
import type { DestinationErrorCode } from '../destination/errors.ts'
import type { ForeignErrorCode } from '../foreign/errors.ts'
import type { MountErrorCode } from '../fuse/mount-error.ts'
import type { ImportErrorCode } from '../import/errors.ts'
import type { IndexCacheErrorCode, SnapshotErrorCode } from '../snapshot/errors.ts'
import type { StoreErrorCode } from '../store/errors.ts'
import type { CliErrorCode } from './errors.ts'

/** What each exit code means, as `jbfs --help` prints it. */
export const exitCodeMeanings = {
  0: 'done',
  1: 'failed for a reason that has no code of its own here',
  2: 'the command line or a settings file is wrong',
  3: 'the destination cannot be reached, or refuses',
  4: 'cannot mount or unmount there: refused, in use, or not mounted',
  5: 'a snapshot or an object is missing, damaged or not understood',
  6: 'the system lacks something jbfs needs (Node.js 24, /dev/fuse, fusermount3)',
  7: 'what is to be imported cannot be read, or goes on changing',
  8: 'somebody else owns the destination, or is writing to it',
  130: 'interrupted (Ctrl-C)',
  141: 'nobody reads the output any more (SIGPIPE)',
  143: 'terminated (SIGTERM)',
} as const
export type ExitCode = keyof typeof exitCodeMeanings

/** The mirror of `daemon/error-to-errno.ts`: an error code without an exit code does not compile. */
const table = {
  usage: 2,
  'bad-option': 2,
  'bad-destination': 2,
  'bad-settings': 2,
  'read-only-destination': 2,
  'bad-name': 2,
  // Another number is to be given.
  'snapshot-exists': 2,
  unavailable: 3,
  timeout: 3,
  'access-denied': 3,
  'no-bucket': 3,
  tls: 3,
  exists: 3,
  changed: 3,
  invalid: 3,
  unsupported: 3,
  owned: 8,
  'in-use': 8,
  'lease-lost': 8,
  'bad-owner': 8,
  'bad-state': 1,
  'read-only': 3,
  busy: 4,
  refused: 4,
  'bad-mountpoint': 4,
  'not-mounted': 4,
  'still-running': 4,
  'daemon-died': 4,
  'bad-manifest': 5,
  'no-manifest': 5,
  'no-index': 5,
  elsewhere: 5,
  'bad-index': 5,
  foreign: 5,
  'nothing-there': 5,
  'too-new': 5,
  missing: 5,
  corrupt: 5,
  'cache-full': 1,
  'cache-unusable': 1,
  'bad-database': 5,
  'bad-query': 2,
  'query-limit': 5,
  'bad-packing': 5,
  'unpack-limit': 5,
  'no-unpacker': 6,
  'no-fuse': 6,
  'no-koffi': 6,
  'bad-source': 7,
  'source-changed': 7,
  'foreign-repository': 5,
  'no-temporary-folder': 1,
  'demo-failed': 1,
  'test-failed': 3,
  'not-published': 3,
  interrupted: 130,
  terminated: 143,
  'output-closed': 141,
  'output-failed': 1,
} as const satisfies Record<
  | StoreErrorCode
  | SnapshotErrorCode
  | IndexCacheErrorCode
  | CacheErrorCode
  | MountErrorCode
  | DestinationErrorCode
  | ImportErrorCode
  | ForeignErrorCode
  | CliErrorCode
  | 'bad-option'
  | 'daemon-died'
  | 'no-koffi',
  ExitCode
>

export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof JbfsError)) return 1
  return (table as Record<string, ExitCode>)[error.code] ?? 1
}

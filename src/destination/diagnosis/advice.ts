import type { Advise, StoreErrorCode, StoreFault } from '../../store/errors.ts'
import type { S3Destination } from '../parse-destination.ts'
import { adviceOn } from './causes.ts'

/** What can be put right where the destination is described, whatever was being done there. */
const settled: ReadonlySet<StoreFault | StoreErrorCode> = new Set([
  'no-host',
  'connection-refused',
  'proxy',
  'untrusted',
  'no-keys',
  'unknown-key',
  'wrong-secret',
  'session-token',
  'clock',
  'region',
  'no-bucket',
])

/** What `jbfs destination test` can tell more of. */
const looked: ReadonlySet<StoreFault | StoreErrorCode> = new Set([
  ...settled,
  'no-permission',
  'access-denied',
  'tls',
  'timeout',
  'unavailable',
])

/** For the messages of a destination's store: the advice that a diagnosis gives for the same fault, and where to find more. */
export function adviceFor(destination: S3Destination): Advise {
  const test = destination.named && `jbfs destination test ${destination.named.name}`
  return (error) => {
    const cause = error.fault ?? error.code
    const advice = settled.has(cause) ? `: ${adviceOn(error, destination)}` : ''
    // Without a name the command would need all the options again.
    return test !== undefined && looked.has(cause) ? `${advice}; see ${test}` : advice
  }
}

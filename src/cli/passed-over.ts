import type { StoreError } from '../store/errors.ts'
import { exitCodeOf } from './exit-codes.ts'
import { warn } from './output.ts'
import type { FindOptions } from './repositories.ts'

/** For commands that look at all repositories: what can be looked at is, and the exit code says that it is not all. */
export const tellPassedOver = {
  onLimit(limit: number): void {
    warn(
      `looked into ${limit} folders without snapshots and stopped there: name the folder of the backups itself`,
    )
    process.exitCode = 1
  },
  onRefusal(error: StoreError): void {
    warn(error.message)
    process.exitCode = exitCodeOf(error)
  },
} as const satisfies Pick<FindOptions, 'onLimit' | 'onRefusal'>

import type { Abortable } from '../../base/abort.ts'
import type { Logger } from '../../base/log.ts'
import type { LifecycleLimits } from '../../destination/lifecycle/vendor-limits.ts'
import type { S3Destination } from '../../destination/parse-destination.ts'

/** All that one `jbfs destination lifecycle` is about. */
export interface LifecycleRun extends Abortable {
  readonly destination: S3Destination
  /** Of whole keys, in the bucket: what lies below the destination. */
  readonly prefix: string
  /** As the user wants them. */
  readonly days: { readonly noncurrent: number; readonly upload: number }
  readonly limits: LifecycleLimits
  readonly logger: Logger
  readonly json: boolean
}

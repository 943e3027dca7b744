import type { Logger } from '../base/log.ts'
import { type BucketReader, S3Bucket } from '../store/s3-bucket.ts'
import { defaultRetryPolicy } from '../store/with-retry.ts'
import { s3OptionsOf } from './destination.ts'
import { adviceFor } from './diagnosis/advice.ts'
import type { S3Destination } from './parse-destination.ts'
import { refuseReadOnly } from './refuse-read-only.ts'

/** Opens the bucket of a destination to be looked at as a whole. Sends no request yet. */
export function openBucket(destination: S3Destination, logger: Logger): BucketReader {
  return open(destination, logger)
}

/** Opens the bucket of a destination to be configured. Throws `read-only-destination`. */
export function acquireBucket(destination: S3Destination, logger: Logger): S3Bucket {
  refuseReadOnly(destination)
  return open(destination, logger)
}

function open(destination: S3Destination, logger: Logger): S3Bucket {
  const policy = { ...defaultRetryPolicy, retries: destination.store.httpRetries }
  return new S3Bucket({ ...s3OptionsOf(destination, logger), advise: adviceFor(destination) }, { policy })
}

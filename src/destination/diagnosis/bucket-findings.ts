import type { Abortable } from '../../base/abort.ts'
import { StoreError } from '../../store/errors.ts'
import type { BucketReader } from '../../store/s3-bucket.ts'
import { planLifecycle } from '../lifecycle/plan.ts'
import { defaultDays } from '../lifecycle/recommended.ts'
import { daysAt, limitsOf } from '../lifecycle/vendor-limits.ts'
import { warningsOf } from '../lifecycle/warnings.ts'
import { formatDestination, type S3Destination } from '../parse-destination.ts'
import { type Check, doubtful, type Finding, good, untried } from './finding.ts'

/** What a bucket keeps beside the backups, and whether something removes it. Neither keeps a destination from being used. */
export async function* bucketFindings(
  bucket: BucketReader,
  destination: S3Destination,
  options: Abortable,
): AsyncIterable<Finding> {
  yield await asFarAsTold('versioning', () => versioningFinding(bucket, options))
  yield await asFarAsTold('lifecycle', () => lifecycleFinding(bucket, destination, options))
}

async function versioningFinding(bucket: BucketReader, options: Abortable): Promise<Finding | undefined> {
  const versioning = await bucket.versioning(options)
  if (versioning === undefined) return undefined
  return versioning === 'enabled'
    ? good(
        'versioning',
        'on: what is deleted or overwritten is kept, and takes room, until a rule removes it',
      )
    : good('versioning', 'off: what is deleted is gone')
}

async function lifecycleFinding(
  bucket: BucketReader,
  destination: S3Destination,
  options: Abortable,
): Promise<Finding | undefined> {
  const limits = limitsOf(destination.named?.vendor)
  if (limits.refusal !== undefined) return untried('lifecycle', limits.refusal)
  const found = await bucket.lifecycle(options)
  if (found === undefined) return undefined
  const prefix = destination.prefix === '' ? '' : `${destination.prefix}/`
  const command = `jbfs destination lifecycle ${formatDestination(destination)}`
  const [warning] = warningsOf(found.rules, prefix)
  if (warning !== undefined) return doubtful('lifecycle', warning, `see ${command}`)
  return planLifecycle(found, prefix, daysAt(defaultDays, limits, found.server)) === undefined
    ? good('lifecycle', 'old versions and incomplete uploads are removed by rules')
    : doubtful('lifecycle', 'no rule removes old versions and incomplete uploads', `${command} --apply`)
}

/** Who may back up may often not see how a bucket is set up. */
async function asFarAsTold(check: Check, look: () => Promise<Finding | undefined>): Promise<Finding> {
  try {
    return (await look()) ?? untried(check, 'the server does not know this')
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    const isRefused = error.code === 'access-denied'
    return untried(check, isRefused ? 'the keys may not look at this' : error.message)
  }
}

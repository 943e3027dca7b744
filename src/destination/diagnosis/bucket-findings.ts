import type { Abortable } from '../../base/abort.ts'
import { StoreError } from '../../store/errors.ts'
import type { BucketReader, BucketVersioning, LifecycleRule } from '../../store/s3-bucket.ts'
import { defaultDays } from '../lifecycle/recommended.ts'
import { covers } from '../lifecycle/rule-scope.ts'
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
  return versioning && good('versioning', versioningTexts[versioning])
}

const versioningTexts: Readonly<Record<BucketVersioning, string>> = {
  enabled: 'on: what is deleted or overwritten is kept, and takes room, until a rule removes it',
  suspended: 'suspended: what was kept before stays, and takes room, until a rule removes it',
  never: 'off: what is deleted is gone',
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
  const isWanted = daysAt(defaultDays, limits, found.server).upload !== undefined
  const kept = keptText(
    found.rules.map(({ rule }) => rule).filter((rule) => covers(rule, prefix)),
    isWanted,
  )
  return kept === undefined
    ? good('lifecycle', `old versions${isWanted ? ' and incomplete uploads' : ''} are removed by rules`)
    : doubtful('lifecycle', `no rule removes ${kept}`, `${command} --apply`)
}

/** What none of the rules removes, after however many days; undefined when all is removed. */
function keptText(rules: readonly LifecycleRule[], hasUploadRules: boolean): string | undefined {
  const kept = [
    rules.some((rule) => rule.NoncurrentVersionExpiration !== undefined) ? [] : 'old versions',
    !hasUploadRules || rules.some((rule) => rule.AbortIncompleteMultipartUpload !== undefined)
      ? []
      : 'incomplete uploads',
  ].flat()
  return kept.length === 0 ? undefined : kept.join(' and ')
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

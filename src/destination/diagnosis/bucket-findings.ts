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
  let versioning: BucketVersioning | undefined
  yield await asFarAsTold('versioning', async () => {
    versioning = await bucket.versioning(options)
    return versioning && good('versioning', versioningTexts[versioning])
  })
  // Where nothing is told of versions, there may be some.
  const hasVersions = versioning !== 'never'
  yield await asFarAsTold('lifecycle', () =>
    lifecycleFinding(bucket, destination, { ...options, hasVersions }),
  )
}

const versioningTexts: Readonly<Record<BucketVersioning, string>> = {
  enabled: 'on: what is deleted or overwritten is kept, and takes room, until a rule removes it',
  suspended: 'suspended: what was kept before stays, and takes room, until a rule removes it',
  never: 'off: what is deleted is gone',
}

async function lifecycleFinding(
  bucket: BucketReader,
  destination: S3Destination,
  { hasVersions, ...options }: Abortable & { readonly hasVersions: boolean },
): Promise<Finding | undefined> {
  const limits = limitsOf(destination.named?.vendor)
  if (limits.refusal !== undefined) return untried('lifecycle', limits.refusal)
  const found = await bucket.lifecycle(options)
  if (found === undefined) return undefined
  const prefix = destination.prefix === '' ? '' : `${destination.prefix}/`
  const command = `jbfs destination lifecycle ${formatDestination(destination)}`
  const [warning] = warningsOf(found.rules, prefix)
  if (warning !== undefined) return doubtful('lifecycle', warning, `see ${command}`)
  const hasUploadRules = daysAt(defaultDays, limits, found.server).upload !== undefined
  const remains = [...(hasVersions ? [oldVersions] : []), ...(hasUploadRules ? [incompleteUploads] : [])]
  if (remains.length === 0) return good('lifecycle', 'there is nothing that rules would have to remove')
  const rules = found.rules.map(({ rule }) => rule).filter((rule) => covers(rule, prefix))
  // After however many days.
  const kept = remains.filter(({ action }) => !rules.some((rule) => rule[action] !== undefined))
  return kept.length === 0
    ? good('lifecycle', `${namesOf(remains)} are removed by rules`)
    : doubtful('lifecycle', `no rule removes ${namesOf(kept)}`, `${command} --apply`)
}

/** What takes room beside the backups, and the part of a rule that removes it. */
interface Remains {
  readonly name: string
  readonly action: keyof LifecycleRule
}

const oldVersions: Remains = { name: 'old versions', action: 'NoncurrentVersionExpiration' }
const incompleteUploads: Remains = { name: 'incomplete uploads', action: 'AbortIncompleteMultipartUpload' }

function namesOf(remains: readonly Remains[]): string {
  return remains.map(({ name }) => name).join(' and ')
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

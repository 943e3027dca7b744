import { elementNames } from '../../store/lifecycle-xml.ts'
import type { BucketRule, LifecycleRule } from '../../store/s3-bucket.ts'
import { scopeOf } from './rule-scope.ts'

/** A rule in plain words, on one line. */
export function ruleText({ rule, element }: BucketRule): string {
  const unknown = unknownElements(element)
  const actions = [
    ...actionTexts(rule),
    ...(unknown.length === 0 ? [] : [`something that jbfs does not know (${unknown.join(', ')})`]),
  ]
  const name = rule.ID === undefined || rule.ID === '' ? '' : `${JSON.stringify(rule.ID)}, `
  const off = rule.Status === 'Enabled' ? '' : ' (disabled)'
  return `${name}${scopeText(rule)}: ${actions.join('; ')}${off}`
}

/** What the rule does, each a few words. */
export function actionTexts(rule: LifecycleRule): string[] {
  const {
    Expiration,
    Transitions = [],
    NoncurrentVersionExpiration,
    NoncurrentVersionTransitions = [],
  } = rule
  const texts = currentTexts(rule)
  for (const { Days, Date: date, StorageClass } of Transitions)
    texts.push(`current objects move to ${StorageClass} ${when(Days, date)}`)
  for (const { NoncurrentDays, StorageClass, NewerNoncurrentVersions } of NoncurrentVersionTransitions)
    texts.push(
      `noncurrent versions move to ${StorageClass} ${when(NoncurrentDays)}${sparing(NewerNoncurrentVersions)}`,
    )
  if (NoncurrentVersionExpiration !== undefined) {
    const { NoncurrentDays, NewerNoncurrentVersions } = NoncurrentVersionExpiration
    texts.push(`noncurrent versions are deleted ${when(NoncurrentDays)}${sparing(NewerNoncurrentVersions)}`)
  }
  if (Expiration?.ExpiredObjectDeleteMarker) texts.push('delete markers with no version left are removed')
  const abort = rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation
  if (abort !== undefined) texts.push(`incomplete uploads are aborted ${when(abort)}`)
  return texts
}

/** What becomes of current objects, which are the backups. */
function currentTexts({ Expiration }: LifecycleRule): string[] {
  const { Days, Date: date } = Expiration ?? {}
  return Days === undefined && date === undefined ? [] : [`current objects are deleted ${when(Days, date)}`]
}

export function scopeText(rule: LifecycleRule): string {
  const { prefix, tags, largerThan, smallerThan } = scopeOf(rule)
  const place =
    prefix === '' ? 'in the whole bucket' : prefix.endsWith('/') ? `below ${prefix}` : `keys like ${prefix}*`
  return [
    place,
    ...(tags.length === 0 ? [] : [`with tag ${tags.join(' and ')}`]),
    ...(largerThan === undefined ? [] : [`larger than ${largerThan} bytes`]),
    ...(smallerThan === undefined ? [] : [`smaller than ${smallerThan} bytes`]),
  ].join(' ')
}

function when(days: number | undefined, date?: Date): string {
  if (date !== undefined) return `on ${date.toISOString().slice(0, 10)}`
  return `after ${days ?? 0} ${days === 1 ? 'day' : 'days'}`
}

function sparing(newest: number | undefined): string {
  return newest === undefined ? '' : `, but the newest ${newest} of each object`
}

/** Those of S3's API, LifecycleRule and below. */
const known = new Set(
  `Rule ID Status Prefix Filter And Tag Key Value ObjectSizeGreaterThan ObjectSizeLessThan Expiration Days Date
  ExpiredObjectDeleteMarker Transition StorageClass NoncurrentVersionTransition NoncurrentVersionExpiration NoncurrentDays
  NewerNoncurrentVersions AbortIncompleteMultipartUpload DaysAfterInitiation`.split(/\s+/),
)

/** What only this server has in its rules. */
export function unknownElements(element: string): string[] {
  return elementNames(element).filter((name) => !known.has(name))
}

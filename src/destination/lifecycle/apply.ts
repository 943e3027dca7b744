import { setTimeout as delay } from 'node:timers/promises'
import type { Abortable } from '../../base/abort.ts'
import { StoreError } from '../../store/errors.ts'
import type { BucketLifecycle, S3Bucket } from '../../store/s3-bucket.ts'
import { type LifecyclePlan, lostRules, missingActions } from './plan.ts'
import { ruleText } from './rule-text.ts'
import { unknownRules } from './vendor-limits.ts'

export interface ApplyOptions extends Abortable {
  readonly prefix: string
  /** The rules that the plan was made from. */
  readonly shown: BucketLifecycle
  /** Milliseconds between two looks at the rules, until they are those that were set. */
  readonly pause?: number | undefined
}

/** Amazon's configurations of buckets are not consistent at once (Amazon S3 User Guide, "Amazon S3 data consistency model"). */
const looks = 5

/**
 * Sets what is planned, and reads it back. Resolves with what of the rule the server has left out. Rejects with `StoreError`: `changed` when
 * the rules are no longer those of the plan before, or not those that were set after.
 */
export async function applyPlan(
  bucket: S3Bucket,
  plan: LifecyclePlan,
  { prefix, shown, pause = 1000, signal }: ApplyOptions,
): Promise<string[]> {
  const before = await bucket.lifecycle({ signal })
  // S3 has no condition for this put: between here and there a change by others is lost.
  if (before === undefined || !hasSameRules(before, shown))
    throw new StoreError(
      'changed',
      `${bucket.description}: somebody else has changed the rules meanwhile: nothing is set, look again`,
    )
  if (!(await bucket.setLifecycle(plan, { signal })))
    throw new StoreError('invalid', `${bucket.description}: ${unknownRules}`)
  for (let look = 1; ; look++) {
    const { rules } = (await bucket.lifecycle({ signal })) ?? { rules: [] }
    const lost = lostRules(plan.kept, rules)
    const missing = missingActions(rules, prefix, plan.wanted)
    if (lost.length === 0 && missing.length === 0) return []
    if (look === looks) {
      const isThere = missing.length < missingActions([], prefix, plan.wanted).length
      if (lost.length === 0 && isThere) return missing
      throw new StoreError(
        'changed',
        `${bucket.description}: the server does not show the rules that were set; missing: ` +
          [...lost.map(ruleText), ...missing].join('; '),
      )
    }
    await delay(pause, undefined, { signal }).catch(() => signal?.throwIfAborted())
  }
}

function hasSameRules(one: BucketLifecycle, other: BucketLifecycle): boolean {
  const elements = ({ rules }: BucketLifecycle): string =>
    rules
      .map(({ element }) => element)
      .sort()
      .join('')
  return elements(one) === elements(other)
}

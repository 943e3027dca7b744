import type { BucketLifecycle, BucketRule, LifecycleChange, LifecycleRule } from '../../store/s3-bucket.ts'
import { type RecommendedDays, recommendedId, recommendedRule } from './recommended.ts'
import { isExactlyFor, scopeOf } from './rule-scope.ts'
import { actionTexts, ruleText, unknownElements } from './rule-text.ts'

export interface LifecyclePlan extends LifecycleChange {
  readonly removed: readonly BucketRule[]
  /** The rule that is added; there is one. */
  readonly wanted: LifecycleRule
}

/** What is to change so that the recommended rule is in force below `prefix`; undefined when it is. Rules of others stay. */
export function planLifecycle(
  { rules, transitionMinimum }: BucketLifecycle,
  prefix: string,
  days: RecommendedDays,
): LifecyclePlan | undefined {
  const isOlderForm = rules.some(({ rule }) => rule.Filter === undefined && rule.Prefix !== undefined)
  const wanted = recommendedRule(prefix, days, { isOlderForm })
  if (missingActions(rules, prefix, wanted).length === 0) return undefined
  const isOurs = ({ rule }: BucketRule): boolean => rule.ID === recommendedId(prefix)
  return {
    wanted,
    added: [wanted],
    removed: rules.filter(isOurs),
    kept: rules.filter((found) => !isOurs(found)),
    transitionMinimum,
  }
}

/** The plan, a line a rule, marked as in a diff. */
export function planLines({ removed, wanted }: LifecyclePlan): string[] {
  return [...removed.map((found) => `- ${ruleText(found)}`), `+ ${ruleText({ rule: wanted, element: '' })}`]
}

/** What of `wanted` no rule does. Several may do it together: some servers (Backblaze B2) keep a rule in parts. */
export function missingActions(
  rules: readonly BucketRule[],
  prefix: string,
  wanted: LifecycleRule,
): string[] {
  const done = rules.filter(({ rule }) => isExactlyFor(rule, prefix)).flatMap(({ rule }) => actionTexts(rule))
  return actionTexts(wanted).filter((action) => !done.includes(action))
}

/** Those rules that are no longer among `after` as they were. */
export function lostRules(kept: readonly BucketRule[], after: readonly BucketRule[]): BucketRule[] {
  const there = new Set(after.map(meaningOf))
  return kept.filter((found) => !there.has(meaningOf(found)))
}

/** Equal for rules that do the same, however a server writes them down. */
function meaningOf({ rule, element }: BucketRule): string {
  const { ID, Status } = rule
  return JSON.stringify([ID, Status, scopeOf(rule), actionTexts(rule), unknownElements(element)])
}

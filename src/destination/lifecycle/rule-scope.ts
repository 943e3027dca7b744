import type { LifecycleRule } from '../../store/s3-bucket.ts'

/** Which keys a rule is for. */
export interface RuleScope {
  /** Of whole keys; '' for all. */
  readonly prefix: string
  /** `key=value` of tags that an object must have, all of them. */
  readonly tags: readonly string[]
  /** Bytes; an object must be larger, or smaller. */
  readonly largerThan: number | undefined
  readonly smallerThan: number | undefined
}

/** A rule may say it in three ways (S3 API, LifecycleRule): a `Filter` with one condition, one with `And`, or the older `Prefix`. */
export function scopeOf({ Filter, Prefix }: LifecycleRule): RuleScope {
  const { And, Tag } = Filter ?? {}
  const conditions = And ?? Filter ?? {}
  const tags = And?.Tags ?? (Tag === undefined ? [] : [Tag])
  return {
    prefix: conditions.Prefix ?? Prefix ?? '',
    tags: tags.map(({ Key, Value }) => `${Key}=${Value}`),
    largerThan: conditions.ObjectSizeGreaterThan,
    smallerThan: conditions.ObjectSizeLessThan,
  }
}

/** Whether the rule may meet keys below `prefix`: all of them, or some. */
export function reaches(rule: LifecycleRule, prefix: string): boolean {
  const own = scopeOf(rule).prefix
  return own.startsWith(prefix) || prefix.startsWith(own)
}

/** Whether the rule is in force for all keys below `prefix`. */
export function covers(rule: LifecycleRule, prefix: string): boolean {
  const scope = scopeOf(rule)
  const isFiltered = scope.tags.length > 0 || (scope.largerThan ?? scope.smallerThan) !== undefined
  return rule.Status === 'Enabled' && prefix.startsWith(scope.prefix) && !isFiltered
}

/** Whether it is, and for no others. */
export function isExactlyFor(rule: LifecycleRule, prefix: string): boolean {
  return covers(rule, prefix) && scopeOf(rule).prefix === prefix
}

import test from 'ava'
import {
  type LifecyclePlan,
  lostRules,
  missingActions,
  planLifecycle,
  planLines,
} from '../../../src/destination/lifecycle/plan.ts'
import {
  defaultDays,
  type RecommendedDays,
  recommendedRule,
} from '../../../src/destination/lifecycle/recommended.ts'
import { daysAt, limitsOf, notesAt } from '../../../src/destination/lifecycle/vendor-limits.ts'
import type { BucketLifecycle, BucketRule, LifecycleRule } from '../../../src/store/s3-bucket.ts'

function bucketWith(...rules: LifecycleRule[]): BucketLifecycle {
  return { rules: rules.map(found), transitionMinimum: undefined, server: '' }
}

function found(rule: LifecycleRule): BucketRule {
  return { rule, element: `<Rule><ID>${rule.ID}</ID></Rule>` }
}

function planOf(bucket: BucketLifecycle, days: RecommendedDays = defaultDays): LifecyclePlan {
  const plan = planLifecycle(bucket, 'web/', days)
  if (plan === undefined) throw new Error('nothing to change')
  return plan
}

const others = {
  ID: 'others',
  Status: 'Enabled',
  Filter: { Prefix: 'logs/' },
  Expiration: { Days: 3 },
} as const
const ours = recommendedRule('web/', defaultDays)

test('the recommended rule is added, and rules of others stay', (t) => {
  const plan = planOf({ ...bucketWith(others), transitionMinimum: 'varies_by_storage_class' })
  t.deepEqual(plan.kept, [found(others)])
  t.deepEqual(plan.added, [ours])
  t.deepEqual(plan.removed, [])
  t.is(plan.transitionMinimum, 'varies_by_storage_class')
  t.deepEqual(
    planLines(plan).map((line) => line.slice(0, 24)),
    ['+ "jbfs web/", below web'],
  )
})

test('our own is replaced when its days are others', (t) => {
  const plan = planOf(bucketWith(ours, others), { noncurrent: 90, upload: 7 })
  t.deepEqual(plan.kept, [found(others)])
  t.deepEqual(plan.removed, [found(ours)])
  t.regex(planLines(plan)[0]!, /^- "jbfs web\/".* 30 days/)
  t.regex(planLines(plan)[1]!, /^\+ "jbfs web\/".* 90 days/)
})

test('what is in force already, under another name or in parts, changes nothing', (t) => {
  t.is(planLifecycle(bucketWith(ours, others), 'web/', defaultDays), undefined)
  t.is(planLifecycle(bucketWith({ ...ours, ID: 'theirs' }), 'web/', defaultDays), undefined)
  const { Expiration, ...rest } = ours
  const parts = [rest, { Status: 'Enabled', Filter: { Prefix: 'web/' }, Expiration }] as LifecycleRule[]
  t.is(planLifecycle(bucketWith(...parts), 'web/', defaultDays), undefined)
})

test('a rule that is disabled, or for other keys, is not in force', (t) => {
  t.deepEqual(planOf(bucketWith({ ...ours, Status: 'Disabled' })).removed.length, 1)
  t.deepEqual(planOf(bucketWith({ ...ours, ID: 'x', Filter: { Prefix: 'web/ann/' } })).kept.length, 1)
})

test('among rules of the older form, ours has it too', (t) => {
  const older = { ID: 'old', Status: 'Enabled', Prefix: 'logs/', Expiration: { Days: 3 } } as const
  const { wanted } = planOf(bucketWith(older))
  t.is(wanted.Prefix, 'web/')
  t.is(wanted.Filter, undefined)
  t.is(planLifecycle(bucketWith(older, wanted), 'web/', defaultDays), undefined)
})

test('what a server has left out or lost is found, however it writes rules down', (t) => {
  const { AbortIncompleteMultipartUpload: _, ...shortened } = ours
  t.deepEqual(missingActions([found(shortened)], 'web/', ours), [
    'incomplete uploads are aborted after 7 days',
  ])
  t.is(missingActions([], 'web/', ours).length, 3)
  const rewritten = {
    rule: { ...others, Filter: { And: { Prefix: 'logs/', Tags: [] } } },
    element: '<Rule/>',
  }
  t.deepEqual(lostRules([found(others)], [rewritten]), [])
  t.deepEqual(lostRules([found(others)], [found({ ...others, Expiration: { Days: 4 } })]), [found(others)])
})

test('where no rule aborts uploads, none is recommended', (t) => {
  for (const [limits, server, upload] of [
    [limitsOf(undefined), 'AmazonS3', 7],
    [limitsOf('wasabi'), '', 7],
    [limitsOf(undefined), 'MinIO', undefined],
    [limitsOf('minio'), 'nginx', undefined],
  ] as const) {
    t.is(daysAt(defaultDays, limits, server).upload, upload)
    t.is(notesAt(limits, server).length, upload === undefined ? 1 : 0)
  }
})

test('a vendor whose rules are of another form is not asked for them', (t) => {
  t.regex(
    limitsOf('google').refusal ?? '',
    /^Google .* does not take S3's lifecycle rules \(https:.*\): set its own/,
  )
  t.regex(limitsOf('oracle').refusal ?? '', /^Oracle Cloud does not/)
  t.is(limitsOf('amazon').refusal, undefined)
  t.is(limitsOf('custom').refusal, undefined)
})

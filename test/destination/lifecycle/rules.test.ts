import test from 'ava'
import {
  defaultDays,
  recommendedId,
  recommendedRule,
} from '../../../src/destination/lifecycle/recommended.ts'
import { isExactlyFor, reaches, scopeOf } from '../../../src/destination/lifecycle/rule-scope.ts'
import { ruleText } from '../../../src/destination/lifecycle/rule-text.ts'
import { warningsOf } from '../../../src/destination/lifecycle/warnings.ts'
import type { LifecycleRule } from '../../../src/store/s3-bucket.ts'

const enabled = { Status: 'Enabled' } as const

function textOf(rule: Partial<LifecycleRule>, element = ''): string {
  return ruleText({ rule: { ...enabled, ...rule }, element })
}

test('a scope is read from all the forms that S3 has for it', (t) => {
  const none = { tags: [], largerThan: undefined, smallerThan: undefined }
  t.deepEqual(scopeOf({ ...enabled, Prefix: 'web/' }), { ...none, prefix: 'web/' })
  t.deepEqual(scopeOf({ ...enabled, Filter: { Prefix: 'web/' } }), { ...none, prefix: 'web/' })
  t.deepEqual(scopeOf({ ...enabled, Filter: {} }), { ...none, prefix: '' })
  t.deepEqual(scopeOf({ ...enabled }), { ...none, prefix: '' })
  t.deepEqual(scopeOf({ ...enabled, Filter: { Tag: { Key: 'a', Value: 'b' } } }), {
    ...none,
    prefix: '',
    tags: ['a=b'],
  })
  const And = {
    Prefix: 'w',
    Tags: [{ Key: 'a', Value: 'b' }],
    ObjectSizeGreaterThan: 7,
    ObjectSizeLessThan: 9,
  }
  t.deepEqual(scopeOf({ ...enabled, Filter: { And } }), {
    prefix: 'w',
    tags: ['a=b'],
    largerThan: 7,
    smallerThan: 9,
  })
})

test('a rule reaches what lies below its prefix, and what its prefix lies in', (t) => {
  const rule = (prefix: string): LifecycleRule => ({ ...enabled, Filter: { Prefix: prefix } })
  for (const prefix of ['', 'w', 'web', 'web/', 'web/ann/']) t.true(reaches(rule(prefix), 'web/'), prefix)
  for (const prefix of ['webx/', 'web2', 'other/']) t.false(reaches(rule(prefix), 'web/'), prefix)
  t.true(reaches(rule('other/'), ''))
  t.true(isExactlyFor(rule('web/'), 'web/'))
  t.false(isExactlyFor(rule(''), 'web/'))
  t.false(isExactlyFor({ ...rule('web/'), Status: 'Disabled' }, 'web/'))
  t.false(isExactlyFor({ ...enabled, Filter: { And: { Prefix: 'web/', ObjectSizeLessThan: 0 } } }, 'web/'))
})

test('rules are told in plain words', (t) => {
  t.is(
    ruleText({ rule: recommendedRule('web/', defaultDays), element: '' }),
    '"jbfs web/", below web/: noncurrent versions are deleted after 30 days; delete markers with no version left are removed; ' +
      'incomplete uploads are aborted after 7 days',
  )
  t.is(
    textOf({
      Status: 'Disabled',
      Filter: { And: { Prefix: 'w', Tags: [{ Key: 'a', Value: 'b' }], ObjectSizeGreaterThan: 7 } },
      Expiration: { Days: 1 },
    }),
    'keys like w* with tag a=b larger than 7 bytes: current objects are deleted after 1 day (disabled)',
  )
  t.is(
    textOf({
      ID: 'x',
      Filter: {},
      Expiration: { Date: new Date('2030-01-02T00:00:00Z') },
      Transitions: [{ Days: 0, StorageClass: 'GLACIER' }],
      NoncurrentVersionTransitions: [{ NoncurrentDays: 3, StorageClass: 'STANDARD_IA' }],
      NoncurrentVersionExpiration: { NoncurrentDays: 9, NewerNoncurrentVersions: 2 },
    }),
    '"x", in the whole bucket: current objects are deleted on 2030-01-02; current objects move to GLACIER after 0 days; ' +
      'noncurrent versions move to STANDARD_IA after 3 days; noncurrent versions are deleted after 9 days, but the newest 2 of each object',
  )
  t.is(
    textOf(
      { Filter: {} },
      '<Rule><Status>Enabled</Status><DelMarkerExpiration><Days>3</Days></DelMarkerExpiration></Rule>',
    ),
    'in the whole bucket: something that jbfs does not know (DelMarkerExpiration)',
  )
})

test('who deletes or archives current objects of the destination is warned of', (t) => {
  const rules = [
    { ...enabled, ID: 'all', Filter: {}, Expiration: { Days: 90 } },
    { ...enabled, ID: 'below', Filter: { Prefix: 'web/ann/' }, Expiration: { Date: new Date(0) } },
    { ...enabled, ID: 'cold', Prefix: 'web/', Transitions: [{ Days: 1, StorageClass: 'DEEP_ARCHIVE' }] },
    { ...enabled, ID: 'warm', Prefix: 'web/', Transitions: [{ Days: 1, StorageClass: 'STANDARD_IA' }] },
    { ...enabled, ID: 'elsewhere', Filter: { Prefix: 'logs/' }, Expiration: { Days: 1 } },
    { Status: 'Disabled', ID: 'off', Filter: {}, Expiration: { Days: 1 } },
    recommendedRule('web/', defaultDays),
  ] as const satisfies LifecycleRule[]
  const warnings = warningsOf(
    rules.map((rule) => ({ rule, element: '' })),
    'web/',
  )
  t.deepEqual(
    warnings.map((line) => line.slice(0, line.indexOf('", '))),
    [
      'this rule deletes current objects, and so destroys backups: "all',
      'this rule deletes current objects, and so destroys backups: "below',
      'this rule archives current objects, and so makes backups unreadable: "cold',
    ],
  )
})

test('the name of the recommended rule is as short as S3 takes it', (t) => {
  t.is(recommendedId(''), 'jbfs whole bucket')
  t.is(recommendedId('web/'), 'jbfs web/')
  const [one, other] = ['a', 'b'].map((letter) => recommendedId(`${'x'.repeat(1000)}${letter}/`))
  t.not(one, other)
  t.true(one!.length <= 255)
})

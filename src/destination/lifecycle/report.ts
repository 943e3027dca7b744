import { formatByteSize } from '../../base/byte-size.ts'
import type { StoreError } from '../../store/errors.ts'
import type { BucketRule } from '../../store/s3-bucket.ts'
import type { UploadCounts } from './count-uploads.ts'
import type { VersionCounts } from './count-versions.ts'
import type { LifecycleFindings, Part } from './look.ts'
import { type LifecyclePlan, planLines } from './plan.ts'
import { reaches, scopeOf } from './rule-scope.ts'
import { ruleText } from './rule-text.ts'
import { deletesBackups, warningsOf } from './warnings.ts'

export interface LifecycleReport {
  /** For people: `s3://bucket/path`. */
  readonly place: string
  /** Of whole keys, in the bucket. */
  readonly prefix: string
  readonly findings: LifecycleFindings
  /** undefined: the recommended rules are in force, or there can be none. */
  readonly plan: LifecyclePlan | undefined
  /** What is to be said beside the findings, a line each. */
  readonly notes: readonly string[]
}

/** For people. */
export function reportLines({ place, prefix, findings, plan, notes }: LifecycleReport): string[] {
  const { versioning, rules, uploads, versions } = findings
  return [
    field('place', place),
    field('versioning', textOf(versioning, String)),
    field('old versions', textOf(versions, versionsText)),
    field('open uploads', textOf(uploads, uploadsText)),
    ...ruleLines(rules, prefix),
    ...(rules.kind === 'found' ? warningsOf(rules.value.rules, prefix) : []).map(
      (line) => `warning: ${line}`,
    ),
    ...notes.map((note) => `note: ${note}`),
    ...(plan === undefined ? [] : ['--apply would change:', ...planLines(plan)]),
  ]
}

/** For programs. null: not known at this server, or refused, which `problems` tell. */
export function reportJson({ place, prefix, findings, plan, notes }: LifecycleReport): object {
  const { versioning, rules, uploads, versions } = findings
  const found = foundIn(rules)?.rules
  const uploadCounts = foundIn(uploads)
  return {
    place,
    prefix,
    versioning: foundIn(versioning),
    noncurrent: foundIn(versions),
    uploads: uploadCounts && { ...uploadCounts, oldest: isoOf(uploadCounts.oldest) },
    rules: found?.map((rule) => ruleJson(rule, prefix)) ?? null,
    changes: plan === undefined ? [] : planLines(plan),
    notes,
    problems: refusalsOf(findings).map(({ message }) => message),
  }
}

/** What could not be looked at. */
export function refusalsOf(findings: LifecycleFindings): StoreError[] {
  return Object.values(findings).flatMap((part) => (part.kind === 'refused' ? [part.error] : []))
}

function ruleJson(found: BucketRule, prefix: string): object {
  const { rule } = found
  return {
    id: rule.ID ?? null,
    enabled: rule.Status === 'Enabled',
    prefix: scopeOf(rule).prefix,
    applies: reaches(rule, prefix),
    deletesCurrent: deletesBackups(rule),
    text: ruleText(found),
  }
}

function ruleLines(part: LifecycleFindings['rules'], prefix: string): string[] {
  if (part.kind !== 'found')
    return [
      field(
        'rules',
        textOf(part, () => ''),
      ),
    ]
  const { rules } = part.value
  const here = rules.filter(({ rule }) => reaches(rule, prefix))
  const elsewhere = rules.filter(({ rule }) => !reaches(rule, prefix))
  return [
    field('rules', here.length === 0 ? 'none here' : ''),
    ...here.map((found) => `  ${ruleText(found)}`),
    ...(elsewhere.length === 0 ? [] : ['rules for other places in the bucket']),
    ...elsewhere.map((found) => `  ${ruleText(found)}`),
  ]
}

function versionsText({ noncurrentVersions, noncurrentBytes, deleteMarkers }: VersionCounts): string {
  const markers = `${deleteMarkers} delete ${deleteMarkers === 1 ? 'marker' : 'markers'}`
  return `${noncurrentVersions} noncurrent (${formatByteSize(noncurrentBytes)}), ${markers}`
}

function uploadsText({ uploads, bytes, oldest }: UploadCounts): string {
  const since = oldest === undefined ? '' : `, the oldest of ${new Date(oldest).toLocaleString('sv-SE')}`
  return `${uploads} incomplete (${formatByteSize(bytes)} of parts${since})`
}

function textOf<T>(part: Part<T>, text: (value: T) => string): string {
  if (part.kind === 'found') return text(part.value)
  return part.kind === 'unknown' ? `not known: ${part.why}` : `not known: ${part.error.message}`
}

function foundIn<T>(part: Part<T>): T | null {
  return part.kind === 'found' ? part.value : null
}

function isoOf(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString()
}

function field(name: string, text: string): string {
  return `${name.padEnd(13)} ${text}`.trimEnd()
}

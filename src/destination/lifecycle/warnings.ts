import type { BucketRule, LifecycleRule } from '../../store/s3-bucket.ts'
import { reaches } from './rule-scope.ts'
import { ruleText } from './rule-text.ts'

/** Objects in these must be restored, for hours, before they can be read. */
const archives: ReadonlySet<string | undefined> = new Set(['GLACIER', 'DEEP_ARCHIVE'])

/** A line for each rule that harms the backups below `prefix`. */
export function warningsOf(rules: readonly BucketRule[], prefix: string): string[] {
  return rules
    .filter(({ rule }) => rule.Status === 'Enabled' && reaches(rule, prefix))
    .flatMap((found) => {
      const harm = harmOf(found.rule)
      return harm === undefined ? [] : [`${harm}: ${ruleText(found)}`]
    })
}

/** An object that is stored once serves all snapshots from then on: its age says nothing about whether it is needed. */
export function deletesBackups({ Expiration }: LifecycleRule): boolean {
  return Expiration?.Days !== undefined || Expiration?.Date !== undefined
}

function harmOf(rule: LifecycleRule): string | undefined {
  if (deletesBackups(rule)) return 'this rule deletes current objects, and so destroys backups'
  const isArchived = rule.Transitions?.some(({ StorageClass }) => archives.has(StorageClass))
  return isArchived ? 'this rule archives current objects, and so makes backups unreadable' : undefined
}

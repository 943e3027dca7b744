import { openBucket } from '../../destination/bucket.ts'
import { type LifecycleFindings, lookAtLifecycle } from '../../destination/lifecycle/look.ts'
import { type LifecyclePlan, planLifecycle } from '../../destination/lifecycle/plan.ts'
import { refusalsOf, reportJson, reportLines } from '../../destination/lifecycle/report.ts'
import { daysAt, notesAt, unknownRules } from '../../destination/lifecycle/vendor-limits.ts'
import { exitCodeOf } from '../exit-codes.ts'
import { print, printable } from '../output.ts'
import { ProgressLine } from '../progress-line.ts'
import type { LifecycleRun } from './lifecycle-run.ts'

/** Shows what there is. What can be looked at is, and the exit code says that it is not all. */
export async function showLifecycle(run: LifecycleRun): Promise<void> {
  const { destination, prefix, limits, logger, json, signal } = run
  using bucket = openBucket(destination, logger)
  using line = new ProgressLine()
  const findings = await lookAtLifecycle(bucket, {
    prefix,
    withoutRules: limits.refusal,
    onProgress: ({ versions, uploads }) =>
      line.show(() => `lifecycle: looked at ${versions} versions, ${uploads} uploads`),
    signal,
  })
  line[Symbol.dispose]()
  const report = { place: bucket.description, prefix, findings, ...adviceOn(findings, run) }
  if (json) print(JSON.stringify(reportJson(report), null, 2))
  else for (const text of reportLines(report)) print(printable(text))
  const [refusal] = refusalsOf(findings)
  if (refusal !== undefined) process.exitCode = exitCodeOf(refusal)
}

function adviceOn(
  { rules }: LifecycleFindings,
  { prefix, days, limits }: LifecycleRun,
): { plan: LifecyclePlan | undefined; notes: readonly string[] } {
  if (rules.kind === 'found') {
    const { server } = rules.value
    return {
      plan: planLifecycle(rules.value, prefix, daysAt(days, limits, server)),
      notes: notesAt(limits, server),
    }
  }
  // What the vendor says is told already.
  const isNews = rules.kind === 'unknown' && limits.refusal === undefined
  return { plan: undefined, notes: isNews ? [unknownRules] : [] }
}

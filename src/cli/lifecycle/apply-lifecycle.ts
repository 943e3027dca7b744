import { acquireBucket } from '../../destination/bucket.ts'
import { applyPlan } from '../../destination/lifecycle/apply.ts'
import { type LifecyclePlan, planLifecycle, planLines } from '../../destination/lifecycle/plan.ts'
import { daysAt, notesAt, unknownRules } from '../../destination/lifecycle/vendor-limits.ts'
import { warningsOf } from '../../destination/lifecycle/warnings.ts'
import { formatDestination } from '../../destination/parse-destination.ts'
import { StoreError } from '../../store/errors.ts'
import { CliError } from '../errors.ts'
import { print, printable } from '../output.ts'
import { isAtTerminal, Terminal } from '../terminal.ts'
import type { LifecycleRun } from './lifecycle-run.ts'

/** Sets the recommended rules, when the user agrees or has said `yes`. Only the rules are looked at: to list all versions may take hours. */
export async function applyLifecycle(run: LifecycleRun, { yes }: { readonly yes: boolean }): Promise<void> {
  const { destination, prefix, days, limits, logger, json, signal } = run
  using bucket = acquireBucket(destination, logger)
  const place = bucket.description
  if (limits.refusal !== undefined) throw new StoreError('invalid', `${place}: ${limits.refusal}`)
  const shown = await bucket.lifecycle({ signal })
  if (shown === undefined) throw new StoreError('invalid', `${place}: ${unknownRules}`)
  const say = json ? sayBeside : sayHere
  for (const line of warningsOf(shown.rules, prefix)) say(`warning: ${line}`)
  for (const note of notesAt(limits, shown.server)) say(`note: ${note}`)
  const result = (changes: readonly string[], leftOut: readonly string[], text: string): void =>
    json ? print(JSON.stringify({ place, changes, leftOut }, null, 2)) : print(text)

  const plan = planLifecycle(shown, prefix, daysAt(days, limits, shown.server))
  if (plan === undefined) return result([], [], `nothing to change at ${place}`)
  for (const line of planLines(plan)) say(line)
  if (!yes && !(await isConfirmed(plan, formatDestination(destination))))
    return result([], [], `the rules stay as they are at ${place}`)
  const leftOut = await applyPlan(bucket, plan, { prefix, shown, signal })
  if (leftOut.length > 0) say(`note: the server has left out: ${leftOut.join('; ')}`)
  result(planLines(plan), leftOut, `the rules are set at ${place}`)
}

async function isConfirmed({ kept }: LifecyclePlan, name: string): Promise<boolean> {
  if (!isAtTerminal()) throw new CliError('usage', `say --yes to change the lifecycle rules for ${name}`)
  using terminal = new Terminal()
  const others = kept.length === 0 ? '' : ` (${kept.length} of others stay)`
  return await terminal.confirm(`set these rules for ${name}${others}?`)
}

function sayHere(line: string): void {
  print(printable(line))
}

/** With --json, standard output is for the result alone. */
function sayBeside(line: string): void {
  process.stderr.write(`${printable(line)}\n`)
}

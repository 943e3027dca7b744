/**
 * Runs ava (arguments are passed on) and prints a line for each test as it ends, the details of those that fail, the reasons of those
 * that were skipped, and last, alone on its line, `N passed, N failed, N skipped`. Run by scripts/test.sh.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

type Outcome = 'passed' | 'failed' | 'skipped'

const root = join(import.meta.dirname, '..')
const counts: Record<Outcome, number> = { passed: 0, failed: 0, skipped: 0 }
const repeated: string[] = []
let outcome: Outcome | undefined

const ava = spawn(join(root, 'node_modules/.bin/ava'), ['--tap', ...process.argv.slice(2)], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
})
const exitCode = new Promise<number>((resolve, reject) => {
  ava.on('error', reject)
  ava.on('close', (code) => resolve(code ?? 1))
})
for await (const line of createInterface({ input: ava.stdout })) report(line)
const code = await exitCode
// A runner that breaks down has not passed, whatever it counted before.
if (code !== 0 && counts.failed === 0) counts.failed = 1

if (repeated.length > 0) console.log(['', 'Failed and skipped:', ...repeated].join('\n'))
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed > 0 ? 1 : 0

/** One line of TAP: a test's result, a detail or a log line of the test before it, or the plan. */
function report(line: string): void {
  const result = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO))?$/.exec(line)
  if (result !== null) {
    const [, not, title = '', directive] = result
    outcome = outcomeOf(not !== undefined, title, directive)
    counts[outcome]++
    show(`${outcome === 'passed' ? 'ok     ' : outcome.padEnd(7)} ${title}`)
  } else if (/^( {2}|# {2})/.test(line) && outcome !== undefined) {
    show(`        ${line.replace(/^# {2,3}/, '')}`)
  }
}

/** Tests that find out while running that something is missing say so in their title. */
function outcomeOf(failed: boolean, title: string, directive: string | undefined): Outcome {
  if (directive !== undefined) return 'skipped'
  if (failed) return 'failed'
  return /\bskipped\b/i.test(title) ? 'skipped' : 'passed'
}

function show(line: string): void {
  console.log(line)
  if (outcome !== 'passed') repeated.push(line)
}

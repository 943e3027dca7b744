import type { CheckedRepository } from '../../maintenance/check-repository.ts'
import type { Problem } from '../../maintenance/problem.ts'
import { printable, printWhenRead } from '../output.ts'
import { summaryLines, summaryOf } from './check-summary.ts'

/** What `jbfs check` prints, as it goes: there may be millions of problems. */
export interface CheckReport {
  problem(problem: Problem): Promise<void>
  /** When all is known. */
  end(repositories: readonly CheckedRepository[], problems: number): Promise<void>
}

export function textReport(destination: string): CheckReport {
  return {
    problem: ({ text }) => printWhenRead(printable(text)),
    async end(repositories, problems) {
      for (const line of summaryLines(destination, summaryOf(repositories, problems)))
        await printWhenRead(printable(line))
    },
  }
}

/** One JSON object. */
export function jsonReport(destination: string): CheckReport {
  let count = 0
  const begin = (): string =>
    count++ === 0 ? `{\n"destination": ${JSON.stringify(destination)},\n"problems": [\n` : ',\n'
  return {
    async problem({ repository, snapshots, object = null, kind, text }) {
      const line = JSON.stringify({ repository, snapshots, object, kind, text })
      await printWhenRead(`${begin()}${line}`)
    },
    async end(repositories, problems) {
      const head = count === 0 ? begin() : ''
      const rows = repositories.map(rowOf)
      const summary = summaryOf(repositories, problems)
      await printWhenRead(
        `${head}],\n"repositories": ${JSON.stringify(rows, null, 2)},\n"summary": ${JSON.stringify(summary, null, 2)}\n}`,
      )
    },
  }
}

/** Where nobody knows what is left over, there are no orphans. */
function rowOf({ unreferred, isComplete, read, ...others }: CheckedRepository): object {
  return {
    ...others,
    orphans: isComplete ? unreferred : null,
    unaccounted: isComplete ? null : unreferred,
    read: read ?? null,
  }
}

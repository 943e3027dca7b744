import { type Amount, sumOf } from '../../maintenance/amount.ts'
import type { CheckedRepository } from '../../maintenance/check-repository.ts'
import { amountText, counted, listText } from './counts.ts'

/** All repositories together. */
export interface CheckSummary {
  readonly repositories: number
  /** Snapshots whose manifest and index are in order. */
  readonly snapshots: number
  readonly damaged: number
  /** With their repositories. */
  readonly foreign: readonly string[]
  readonly changed: readonly string[]
  readonly objects: Amount
  readonly orphans: Amount
  readonly orphanedIndexes: Amount
  readonly unaccounted: Amount
  readonly otherKeys: number
  readonly read: Amount | null
  readonly problems: number
}

export function summaryOf(repositories: readonly CheckedRepository[], problems: number): CheckSummary {
  const all = <T>(pick: (row: CheckedRepository) => T): T[] => repositories.map(pick)
  const names = (pick: (row: CheckedRepository) => readonly string[]): string[] =>
    repositories.flatMap((row) => pick(row).map((name) => [row.repository, name].filter(Boolean).join('/')))
  const isComplete = (row: CheckedRepository): boolean => row.isComplete
  const read = all(({ read }) => read).filter((amount) => amount !== undefined)
  return {
    repositories: repositories.length,
    snapshots: names(({ snapshots }) => snapshots).length,
    damaged: names(({ damaged }) => damaged).length,
    foreign: names(({ foreign }) => foreign),
    changed: names(({ changed }) => changed),
    objects: sumOf(all(({ objects }) => objects)),
    orphans: sumOf(repositories.filter(isComplete).map(({ unreferred }) => unreferred)),
    orphanedIndexes: sumOf(all(({ orphanedIndexes }) => orphanedIndexes)),
    unaccounted: sumOf(repositories.filter((row) => !isComplete(row)).map(({ unreferred }) => unreferred)),
    otherKeys: all(({ otherKeys }) => otherKeys).reduce((sum, count) => sum + count, 0),
    read: read.length === 0 ? null : sumOf(read),
    problems,
  }
}

export function summaryLines(destination: string, summary: CheckSummary): string[] {
  const { repositories, snapshots, damaged, foreign, changed, objects, read, problems } = summary
  const lines = [
    `checked ${counted(snapshots + damaged, 'snapshot')} in ${counted(repositories, 'repository', 'repositories')} of ${destination}: ${amountText(objects, 'object')}` +
      (read === null ? '' : `; compared the bytes of ${amountText(read, 'object')}`),
  ]
  if (foreign.length > 0) lines.push(`not checkable, as jbfs did not write them: ${foreign.join(', ')}`)
  if (changed.length > 0)
    lines.push(`published or removed meanwhile, so nothing is said of them: ${changed.join(', ')}`)
  const { orphans, orphanedIndexes, unaccounted, otherKeys } = summary
  const left = [
    ...(orphans.count > 0 ? [amountText(orphans, 'object')] : []),
    ...(orphanedIndexes.count > 0 ? [amountText(orphanedIndexes, 'file index', 'file indexes')] : []),
  ]
  if (left.length > 0)
    lines.push(`orphaned: ${listText(left)} that no snapshot refers to; \`jbfs gc\` can free them`)
  if (unaccounted.count > 0)
    lines.push(
      `unaccounted for: ${amountText(unaccounted, 'object')} in repositories where jbfs does not know all that is needed`,
    )
  if (otherKeys > 0) lines.push(`left alone: ${counted(otherKeys, 'key')} in files/ that are no objects`)
  lines.push(problems === 0 ? 'no problems' : counted(problems, 'problem'))
  return lines
}

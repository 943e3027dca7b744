import { type Amount, sumOf } from '../../maintenance/amount.ts'
import type { FoundOrphans, UnclearRepository } from '../../maintenance/find-orphans.ts'
import type { Freed } from '../../maintenance/free-orphans.ts'
import { amountText, counted, listText } from './counts.ts'

/** One repository, and an object of `--json`. */
export interface GcRow {
  /** Path below what the command was given; '' when that is the repository itself. */
  readonly repository: string
  /** What no snapshot refers to, and is old enough to go. */
  readonly orphans: Amount
  readonly indexes: Amount
  /** What no snapshot refers to, and stays: younger than the grace period, or of a time that is yet to come. */
  readonly young: Amount
  readonly future: Amount
  readonly otherKeys: number
  /** What is gone. */
  readonly freed: { readonly objects: Amount; readonly indexes: Amount }
  /** Why nothing, or nothing more, is deleted; null when all is known. */
  readonly unclear: string | null
}

const none: Amount = { count: 0, bytes: 0 }

export function rowOf(repository: string, found: FoundOrphans | UnclearRepository, freed: Freed): GcRow {
  if ('reason' in found)
    return {
      repository,
      orphans: none,
      indexes: none,
      young: none,
      future: none,
      otherKeys: 0,
      freed,
      unclear: found.reason,
    }
  return {
    repository,
    orphans: found.objects.amount,
    indexes: sumOf(found.indexes.map(({ size }) => ({ count: 1, bytes: size }))),
    ...found.kept,
    otherKeys: found.otherKeys,
    freed,
    unclear: null,
  }
}

/** What can go: `3 objects (12 KiB) and 1 file index (800 B)`. */
export function leftoversText(objects: Amount, indexes: Amount): string {
  return listText([
    ...(objects.count > 0 || indexes.count === 0 ? [amountText(objects, 'object')] : []),
    ...(indexes.count > 0 ? [amountText(indexes, 'file index', 'file indexes')] : []),
  ])
}

/** A line for a repository in which there is something to tell; undefined for the others. `grace` as it was given. */
export function rowLine(row: GcRow, grace: string): string | undefined {
  const { repository, orphans, indexes, young, future, otherKeys, unclear } = row
  const place = repository === '' ? '.' : repository
  if (unclear !== null)
    return `${place}: left alone, as not all is known that its snapshots refer to: ${unclear}`
  const kept = [
    ...(young.count > 0 ? [`${amountText(young, 'leftover')} younger than ${grace}`] : []),
    ...(future.count > 0 ? [`${amountText(future, 'leftover')} from the future`] : []),
    ...(otherKeys > 0 ? [`${counted(otherKeys, 'key')} in files/ that are no objects`] : []),
  ]
  const hasOrphans = orphans.count > 0 || indexes.count > 0
  if (!hasOrphans && kept.length === 0) return undefined
  const keeping = kept.length === 0 ? '' : `; kept: ${listText(kept)}`
  return `${place}: ${leftoversText(orphans, indexes)} that no snapshot refers to${keeping}`
}

/** All rows together. */
export function totalsOf(rows: readonly GcRow[]): {
  readonly orphans: Amount
  readonly indexes: Amount
  readonly freed: { readonly objects: Amount; readonly indexes: Amount }
} {
  return {
    orphans: sumOf(rows.map(({ orphans }) => orphans)),
    indexes: sumOf(rows.map(({ indexes }) => indexes)),
    freed: {
      objects: sumOf(rows.map(({ freed }) => freed.objects)),
      indexes: sumOf(rows.map(({ freed }) => freed.indexes)),
    },
  }
}

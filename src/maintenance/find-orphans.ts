import type { Abortable } from '../base/abort.ts'
import type { Logger } from '../base/log.ts'
import { inTurns } from '../base/turn.ts'
import { type CatalogEntry, listSnapshots } from '../snapshot/catalog.ts'
import { secondsOfObjectId } from '../snapshot/object-id.ts'
import type { ObjectRef } from '../snapshot/tree.ts'
import { StoreError } from '../store/errors.ts'
import type { ObjectReader } from '../store/object-store.ts'
import { type AgeRule, ageOf } from './age.ts'
import { type Amount, Tally } from './amount.ts'
import { freshIndexes } from './fresh-index.ts'
import { IdTable } from './id-table.ts'
import { isNamed } from './is-named.ts'
import { type ListedIndex, listIndexes, listObjects } from './listing.ts'
import { Orphans } from './orphans.ts'

export interface FindOrphansOptions extends Abortable {
  readonly store: ObjectReader
  /** Prefix of the repository's keys. */
  readonly repository: string
  /** A folder for file indexes while they are being opened. */
  readonly temporary: string
  readonly rule: AgeRule
  readonly logger: Logger
  readonly onProgress: (progress: FindProgress) => void
}

/** How far a repository has come. */
export interface FindProgress {
  /** Objects that the indexes read so far refer to. */
  readonly referred: number
  /** Objects found in `files/`. */
  readonly listed: number
}

/** What can go in a repository. */
export interface FoundOrphans {
  /** Prefix of the repository's keys. */
  readonly repository: string
  /** The snapshots that were looked at. */
  readonly snapshots: readonly CatalogEntry[]
  readonly objects: Orphans
  /** File indexes that no manifest names. */
  readonly indexes: readonly ListedIndex[]
  /** What no snapshot refers to, and is not old enough. */
  readonly kept: { readonly young: Amount; readonly future: Amount }
  /** Keys in `files/` that are no object's. */
  readonly otherKeys: number
}

/** Why nothing can be said of a repository: a snapshot in it cannot be read, so nobody knows which objects it refers to. */
export interface UnclearRepository {
  readonly repository: string
  readonly reason: string
}

/**
 * Finds what no snapshot of a repository refers to. All of its snapshots must be readable, or else it is unclear. Rejects when the store fails.
 */
export async function findOrphans(options: FindOrphansOptions): Promise<FoundOrphans | UnclearRepository> {
  const { store, repository, rule, onProgress, signal } = options
  const snapshots = await listSnapshots(store, repository, { signal })
  const referred = new IdTable()
  const reason = await eachReference(options, snapshots, (objects) => {
    for (const { id } of objects) referred.add(id)
    onProgress({ referred: referred.size, listed: 0 })
  })
  if (reason !== undefined) return { repository, reason }

  const objects = new Orphans()
  const young = new Tally()
  const future = new Tally()
  let otherKeys = 0
  let listed = 0
  for await (const page of listObjects(store, repository, { signal })) {
    otherKeys += page.others
    listed += page.objects.length
    for (const { id, size } of page.objects) {
      if (referred.find(id) !== undefined) continue
      const age = ageOf(secondsOfObjectId(id), rule)
      if (age === 'old') objects.add(id, size)
      else (age === 'young' ? young : future).add(size)
    }
    onProgress({ referred: referred.size, listed })
  }
  const indexes: ListedIndex[] = []
  for (const index of await listIndexes(store, repository, { signal })) {
    if (isNamed(index, repository, snapshots)) continue
    const age = ageOf(index.modified / 1000, rule)
    if (age === 'old') indexes.push(index)
    else (age === 'young' ? young : future).add(index.size)
  }
  return { repository, snapshots, objects, indexes, kept: { young, future }, otherKeys }
}

/** Tells of every object that the snapshots refer to, more than once of many. Resolves with why not all of them can be known, if so. */
export async function eachReference(
  options: Omit<FindOrphansOptions, 'rule' | 'onProgress'>,
  snapshots: readonly CatalogEntry[],
  tell: (objects: readonly ObjectRef[]) => void,
): Promise<string | undefined> {
  // Before anything is fetched.
  const unreadable = snapshots.find(({ problem }) => problem !== undefined)
  if (unreadable !== undefined) return unreadable.problem?.message
  for await (const { tree, problem } of freshIndexes(snapshots, options)) {
    // A store that does not answer says nothing about the snapshot.
    if (problem instanceof StoreError && problem.retryable) throw problem
    if (problem !== undefined) return problem.message
    for await (const batch of inTurns(tree.objects(), options)) tell(batch)
  }
  return undefined
}

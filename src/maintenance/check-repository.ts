import type { Abortable } from '../base/abort.ts'
import type { Logger } from '../base/log.ts'
import { inTurns } from '../base/turn.ts'
import { fileKey } from '../destination/layout.ts'
import { type CatalogEntry, listSnapshots } from '../snapshot/catalog.ts'
import type { SnapshotError } from '../snapshot/errors.ts'
import type { StoreError } from '../store/errors.ts'
import type { ObjectReader } from '../store/object-store.ts'
import { type Amount, Tally } from './amount.ts'
import { freshIndexes } from './fresh-index.ts'
import { isNamed } from './is-named.ts'
import { listIndexes, listObjects } from './listing.ts'
import { objectProblems } from './object-problems.ts'
import { type Problem, snapshotProblem } from './problem.ts'
import { readObjects } from './read-objects.ts'
import { ObjectState, References } from './references.ts'
import { sampleOf } from './sample.ts'
import type { ExpectedObject, Verdict } from './verify-object.ts'

export interface CheckOptions extends Abortable {
  readonly reader: ObjectReader
  /** Prefix of the repository's keys. */
  readonly repository: string
  /** A folder for file indexes while they are being opened. */
  readonly temporary: string
  /** Read the objects themselves: so many percent of them, so many at a time. */
  readonly readData?: { readonly percent: number; readonly concurrency: number } | undefined
  readonly logger: Logger
  readonly onProgress: (progress: CheckProgress) => void
}

/** How far a repository has come. */
export interface CheckProgress {
  /** Objects that the indexes read so far refer to. */
  readonly referred: number
  /** Objects found in `files/`. */
  readonly listed: number
  /** undefined until objects are read. */
  readonly read?: { readonly done: Amount; readonly all: Amount } | undefined
}

export interface CheckedRepository {
  /** Path below the destination; '' when the destination itself is the repository. */
  readonly repository: string
  /** Snapshots whose manifest and index are in order. */
  readonly snapshots: readonly string[]
  /** Snapshots whose manifest or index is not. */
  readonly damaged: readonly string[]
  /** Snapshots that jbfs did not write, and cannot check. */
  readonly foreign: readonly string[]
  /** Snapshots that were published or removed meanwhile: of them nothing is said. */
  readonly changed: readonly string[]
  /** Objects that indexes refer to, as these say. */
  readonly objects: Amount
  /** Objects that no snapshot refers to; unless `isComplete`, nobody knows. */
  readonly unreferred: Amount
  /** Whether all snapshots could be read, so that what is `unreferred` is left over. */
  readonly isComplete: boolean
  /** File indexes that no snapshot names. */
  readonly orphanedIndexes: Amount
  /** Keys in `files/` that are no object's. */
  readonly otherKeys: number
  /** Objects whose bytes were compared; undefined when none were to be. */
  readonly read: Amount | undefined
}

export interface CheckResult {
  readonly checked: CheckedRepository
  /** Made as they are asked for, as there may be millions; keeps what is known of all objects in memory. */
  readonly problems: Iterable<Problem>
}

/**
 * Looks at every manifest, index and object of a repository, and changes nothing: a listing for each thousand objects, a GET for each manifest and each index, and, with
 * `readData`, one for each object. What is wrong is a `Problem`; what fails at the store as a whole rejects with a `StoreError`.
 */
export async function checkRepository(options: CheckOptions): Promise<CheckResult> {
  const { reader, repository, readData, signal } = options
  const entries = await listSnapshots(reader, repository, { signal })
  const references = new References({ hashBytes: readData === undefined ? 8 : 32 })
  // Before `files/` is listed: what they refer to is there by then.
  const { faults, objects } = await readIndexes(options, entries, references)
  const { unreferred, otherKeys, listed } = await listFiles(options, references)
  const reading = readData && (await readSample(options, references, listed, readData))

  const now = await listSnapshots(reader, repository, { signal, known: entries })
  const indexes = await listIndexes(reader, repository, { signal })
  const orphanedIndexes = new Tally()
  for (const index of indexes) if (!isNamed(index, repository, now)) orphanedIndexes.add(index.size)
  const changed = [
    ...entries.filter((entry) => !now.includes(entry)),
    ...now.filter(({ number }) => !entries.some((entry) => entry.number === number)),
  ].map(({ name }) => name)

  const name = repository.replace(/\/$/, '')
  const isForeign = (entry: CatalogEntry): boolean => entry.problem?.code === 'foreign'
  const snapshots = entries.map(({ name }) => name)
  const problems = function* (): Iterable<Problem> {
    for (const [entry, error] of faults) if (!isForeign(entry)) yield snapshotProblem(name, entry.name, error)
    yield* objectProblems({
      repository: name,
      snapshots,
      references,
      verdicts: reading?.verdicts ?? new Map(),
    })
  }
  const checked = {
    repository: name,
    snapshots: namesOf(entries.filter((entry) => !faults.has(entry))),
    damaged: namesOf(entries.filter((entry) => faults.has(entry) && !isForeign(entry))),
    foreign: namesOf(entries.filter(isForeign)),
    changed,
    objects,
    unreferred,
    isComplete: faults.size === 0,
    orphanedIndexes,
    otherKeys,
    read: reading?.read,
  }
  return { checked, problems: notOnlyOf(changed, problems()) }
}

type Faults = ReadonlyMap<CatalogEntry, SnapshotError | StoreError>

async function readIndexes(
  { reader, repository, temporary, logger, signal, onProgress }: CheckOptions,
  entries: readonly CatalogEntry[],
  references: References,
): Promise<{ readonly faults: Faults; readonly objects: Amount }> {
  const faults = new Map<CatalogEntry, SnapshotError | StoreError>()
  const objects = new Tally()
  for await (const { entry, tree, problem } of freshIndexes(entries, {
    store: reader,
    repository,
    temporary,
    logger,
    signal,
  })) {
    if (problem !== undefined) {
      faults.set(entry, problem)
      continue
    }
    const snapshot = entries.indexOf(entry)
    for await (const batch of inTurns(tree.objects(), { signal })) {
      for (const object of batch) if (references.add(object, snapshot)) objects.add(object.size)
      onProgress({ referred: references.size, listed: 0 })
    }
  }
  return { faults, objects }
}

async function listFiles(
  { reader, repository, signal, onProgress }: CheckOptions,
  references: References,
): Promise<{ readonly unreferred: Amount; readonly otherKeys: number; readonly listed: number }> {
  const unreferred = new Tally()
  let otherKeys = 0
  let listed = 0
  for await (const { objects, others } of listObjects(reader, repository, { signal })) {
    for (const { id, size } of objects) if (!references.see(id, size)) unreferred.add(size)
    otherKeys += others
    listed += objects.length
    onProgress({ referred: references.size, listed })
  }
  return { unreferred, otherKeys, listed }
}

interface Reading {
  readonly read: Amount
  /** By number of the object, but those that are good. */
  readonly verdicts: ReadonlyMap<number, Verdict>
}

/** Only of those that are there with the right size: what is wrong with the others is known. */
async function readSample(
  { reader, repository, signal, onProgress }: CheckOptions,
  references: References,
  listed: number,
  { percent, concurrency }: NonNullable<CheckOptions['readData']>,
): Promise<Reading> {
  const present = function* (): Iterable<number> {
    for (let object = 0; object < references.size; object++)
      if (references.stateOf(object) === ObjectState.present) yield object
  }
  let count = 0
  for (const _ of present()) count++
  const all = new Tally()
  const chosen = new Uint32Array(Math.ceil((count * percent) / 100))
  for (const object of sampleOf(present(), count, percent)) {
    chosen[all.count] = object
    all.add(references.sizeOf(object))
  }
  const done = { count: 0, bytes: 0 }
  const verdicts = new Map<number, Verdict>()
  const show = (): void => onProgress({ referred: references.size, listed, read: { done, all } })
  await readObjects(reader, expectedObjects(repository, references, chosen), {
    concurrency,
    signal,
    onBytes(bytes) {
      done.bytes += bytes
      show()
    },
    onVerdict({ number }, verdict) {
      done.count++
      if (verdict !== 'good') verdicts.set(number, verdict)
      show()
    },
  })
  return { read: done, verdicts }
}

function* expectedObjects(
  repository: string,
  references: References,
  numbers: Iterable<number>,
): Iterable<ExpectedObject & { readonly number: number }> {
  for (const number of numbers)
    yield {
      number,
      key: fileKey(repository, references.idOf(number)),
      size: references.sizeOf(number),
      sha256: references.hashOf(number),
    }
}

/** Without what concerns only snapshots that are not there any more as they were. */
function* notOnlyOf(changed: readonly string[], problems: Iterable<Problem>): Iterable<Problem> {
  for (const problem of problems)
    if (!problem.snapshots.every((snapshot) => changed.includes(snapshot))) yield problem
}

function namesOf(entries: readonly CatalogEntry[]): string[] {
  return entries.map(({ name }) => name)
}

import { join } from 'node:path'
import { inTurns } from '../base/turn.ts'
import { snapshotName } from '../destination/layout.ts'
import { type Fault, faultTexts } from '../foreign/faults.ts'
import { isMapped, openMappedSnapshot, withMapping } from '../foreign/mapped-snapshot.ts'
import type { Mapping } from '../foreign/mapping.ts'
import { type LedgerEntry, ObjectLedger } from '../foreign/object-ledger.ts'
import { type CatalogEntry, listSnapshots } from '../snapshot/catalog.ts'
import { SnapshotError } from '../snapshot/errors.ts'
import { openSnapshotIndex } from '../snapshot/index-file.ts'
import type { Tree } from '../snapshot/tree.ts'
import { StoreError } from '../store/errors.ts'
import { type Amount, Tally } from './amount.ts'
import type { CheckOptions, CheckResult } from './check-repository.ts'
import { type Problem, type ProblemKind, snapshotProblem } from './problem.ts'
import { readObjects } from './read-objects.ts'
import { sampleOf } from './sample.ts'
import type { Verdict } from './verify-object.ts'

/** As `checkRepository`, of a repository that something else wrote, by a mapping. Its objects may be called anything; what is not known of them, is not checked. */
export async function checkMappedRepository(
  options: CheckOptions & { readonly mapping: Mapping },
): Promise<CheckResult> {
  const { reader, repository, temporary, readData, signal, onProgress } = options
  const entries = withMapping(await listSnapshots(reader, repository, { signal }))
  const ledger = new ObjectLedger(join(temporary, `objects-${Math.random().toString(36).slice(2)}`))
  const problems: Problem[] = []
  const damaged: string[] = []
  const place = repository.replace(/\/$/, '')
  let referred = 0
  for (const entry of entries) {
    try {
      using tree = await openTree(options, entry)
      if ('source' in tree) problems.push(...leftOut(place, entry.name, tree.source.faults))
      for await (const batch of inTurns(tree.objects(), { signal })) {
        for (const object of batch) ledger.refer(object, entry.number)
        referred += batch.length
        onProgress({ referred, listed: 0 })
      }
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof SnapshotError || error instanceof StoreError)) throw error
      damaged.push(entry.name)
      problems.push(snapshotProblem(place, entry.name, error))
    }
  }
  await ledger.look(reader, repository, { signal, onListed: (listed) => onProgress({ referred, listed }) })
  const verdicts = new Map<LedgerEntry, Verdict>()
  const read = readData && (await readSample(options, ledger, readData, verdicts))
  const checked = {
    repository: place,
    snapshots: entries.map(({ name }) => name).filter((name) => !damaged.includes(name)),
    damaged,
    foreign: [],
    changed: [],
    objects: ledger.total(),
    unreferred: ledger.unreferred,
    // Whether a mapping names all that is needed, nobody knows: objects of empty files, for one, it does not.
    isComplete: false,
    orphanedIndexes: new Tally(),
    otherKeys: 0,
    read,
  }
  const found = function* (): Iterable<Problem> {
    using closed = ledger
    yield* problems
    for (const entry of closed.entries('wrong')) yield objectProblem(place, entry, undefined)
    for (const [entry, verdict] of verdicts) yield objectProblem(place, entry, verdict)
  }
  return { checked, problems: found() }
}

type CheckedTree = Tree & { readonly source?: { readonly faults: readonly Fault[] } }

function openTree(
  { reader, repository, temporary, logger, signal, mapping }: CheckOptions & { readonly mapping: Mapping },
  entry: CatalogEntry,
): Promise<CheckedTree> {
  const place = { store: reader, repository, entry, cacheDir: temporary, logger, signal }
  return isMapped(entry) ? openMappedSnapshot({ ...place, mapping }) : openSnapshotIndex(place)
}

/** Rows that have no place in the tree are files that cannot be restored. */
function leftOut(repository: string, snapshot: string, faults: readonly Fault[]): Problem[] {
  const place = [repository, snapshot].filter(Boolean).join('/')
  return faults.map(({ kind, count, examples }) => ({
    repository,
    snapshots: [snapshot],
    object: undefined,
    kind: 'left-out',
    text: `${place}: ${faultTexts[kind]}: ${count}${examples.length === 0 ? '' : `, such as ${examples[0]}`}`,
  }))
}

async function readSample(
  { reader, signal, onProgress }: CheckOptions,
  ledger: ObjectLedger,
  { percent, concurrency }: NonNullable<CheckOptions['readData']>,
  verdicts: Map<LedgerEntry, Verdict>,
): Promise<Amount> {
  const present = function* (): Iterable<LedgerEntry & { readonly number: number }> {
    let number = 0
    for (const entry of ledger.entries('all')) if (isWhole(entry)) yield { ...entry, number: number++ }
  }
  let count = 0
  for (const _ of present()) count++
  const all = new Tally()
  const isChosen = new Uint8Array(count)
  for (const { number, size } of sampleOf(present(), count, percent)) {
    isChosen[number] = 1
    all.add(size)
  }
  const chosen = function* (): Iterable<LedgerEntry> {
    for (const entry of present()) if (isChosen[entry.number] === 1) yield entry
  }
  const done = { count: 0, bytes: 0 }
  const referred = ledger.total().count
  const show = (): void => onProgress({ referred, listed: referred, read: { done, all } })
  await readObjects<LedgerEntry>(reader, chosen(), {
    concurrency,
    signal,
    onBytes(bytes) {
      done.bytes += bytes
      show()
    },
    onVerdict(entry, verdict) {
      done.count++
      if (verdict !== 'good') verdicts.set(entry, verdict)
      show()
    },
  })
  return done
}

/** What is wrong with the others is known without reading them. */
function isWhole({ found, packing, size }: LedgerEntry): boolean {
  return found !== undefined && (packing !== undefined || found === size)
}

function objectProblem(repository: string, entry: LedgerEntry, verdict: Verdict | undefined): Problem {
  const names = entry.snapshots.map(snapshotName)
  const place = repository === '' ? '' : `${repository}: `
  const object = repository === '' ? entry.key : entry.key.slice(repository.length + 1)
  const [kind, what] = faultOf(entry, verdict)
  const text = `${place}${names.join(', ')}: object ${object} ${what}`
  return { repository, snapshots: names, object, kind, text }
}

function faultOf({ size, found, sha256 }: LedgerEntry, verdict: Verdict | undefined): [ProblemKind, string] {
  if (found === undefined || verdict === 'missing') return ['missing', `is missing, all of its ${size} bytes`]
  if (verdict === undefined) return ['wrong-size', `has ${found} bytes instead of ${size}`]
  if (verdict instanceof StoreError) return ['unreadable', `cannot be read: ${verdict.message}`]
  return sha256 === undefined
    ? ['altered', `does not unpack to its ${size} bytes`]
    : ['altered', `has another SHA-256 than the index says`]
}

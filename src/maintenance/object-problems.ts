import { messageOf } from '../base/errors.ts'
import type { StoreError } from '../store/errors.ts'
import type { Problem, ProblemKind } from './problem.ts'
import { ObjectState, type References } from './references.ts'
import type { Verdict } from './verify-object.ts'

export interface ObjectFindings {
  /** Path below the destination. */
  readonly repository: string
  /** Names of the snapshots, by the numbers that `references` has for them. */
  readonly snapshots: readonly string[]
  /** When `files/` has been listed. */
  readonly references: References
  /** What reading has shown, by number of the object; those that are good need not be there. */
  readonly verdicts: ReadonlyMap<number, Verdict>
}

/** What is wrong with objects, in the order in which indexes have named them; what two indexes contradict each other in comes last. */
export function* objectProblems(findings: ObjectFindings): Iterable<Problem> {
  const { references, verdicts } = findings
  for (let object = 0; object < references.size; object++) {
    const found = faultOf(references, object, verdicts.get(object))
    if (found !== undefined) yield problem(findings, object, references.snapshotsOf(object), ...found)
  }
  for (const { object, snapshot } of references.contradictions) {
    const others = references.snapshotsOf(object).map((number) => findings.snapshots[number])
    const text = `has another size or SHA-256 in the index of ${findings.snapshots[snapshot]} than in that of ${others.join(', ')}`
    yield problem(findings, object, [snapshot], 'contradiction', text)
  }
}

function faultOf(
  references: References,
  object: number,
  verdict: Verdict | undefined,
): [ProblemKind, string] | undefined {
  const size = references.sizeOf(object)
  const state = references.stateOf(object)
  if (state === ObjectState.missing || verdict === 'missing')
    return ['missing', `is missing, all of its ${size} bytes`]
  if (state === ObjectState.wrongSize)
    return ['wrong-size', `has ${references.wrongSizes.get(object)} bytes instead of ${size}`]
  if (verdict === undefined || verdict === 'good') return undefined
  if (verdict === 'altered') return ['altered', `has ${size} bytes, but another SHA-256`]
  return ['unreadable', `cannot be read: ${messageOf(verdict satisfies StoreError)}`]
}

function problem(
  { repository, snapshots, references }: ObjectFindings,
  object: number,
  numbers: readonly number[],
  kind: ProblemKind,
  what: string,
): Problem {
  const names = numbers.map((number) => snapshots[number] as string)
  const id = references.idOf(object)
  const place = repository === '' ? '' : `${repository}: `
  return {
    repository,
    snapshots: names,
    object: id,
    kind,
    text: `${place}${names.join(', ')}: object ${id} ${what}`,
  }
}

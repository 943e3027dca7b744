/** What can be wrong with rows, in the order in which it is told. */
export const faultTexts = {
  'not-understood': 'rows that are not understood',
  'bad-path': 'rows with an impossible path or name',
  'path-twice': 'paths that are there twice',
  'id-twice': 'ids that are there twice',
  'parent-missing': 'rows whose parent is missing',
  'parent-no-folder': 'rows that lie in what is no folder',
  unreachable: 'rows whose parents go round in a circle, or are left out',
  'links-disagree': 'rows that are said to be hard links of others, and have another content',
  'size-disagrees': 'objects whose size is not the same in all rows',
} as const
export type FaultKind = keyof typeof faultTexts

/** Why one row is left out. */
export interface Refusal {
  readonly kind: FaultKind
  /** Names the row. */
  readonly example: string
}

export function refusal(kind: FaultKind, example: string): Refusal {
  return { kind, example: example.slice(0, longestExample) }
}

export interface Fault {
  readonly kind: FaultKind
  readonly count: number
  /** Some of them, a line each. */
  readonly examples: readonly string[]
}

/** Of each kind that are told one by one. */
const examplesKept = 5
/** Characters. */
const longestExample = 300

/** Rows that are left out, by what is wrong with them. */
export class Faults {
  readonly #faults = new Map<FaultKind, { count: number; examples: string[] }>()

  note(refused: Refusal | undefined): void {
    if (refused === undefined) return
    const { kind, example } = refused
    const fault = this.#of(kind)
    fault.count++
    if (fault.examples.length < examplesKept) fault.examples.push(example)
  }

  /** Many, of which none can be named. */
  count(kind: FaultKind, count: number): void {
    if (count > 0) this.#of(kind).count += count
  }

  list(): readonly Fault[] {
    return (Object.keys(faultTexts) as FaultKind[]).flatMap((kind) => {
      const fault = this.#faults.get(kind)
      return fault === undefined ? [] : [{ kind, ...fault }]
    })
  }

  #of(kind: FaultKind): { count: number; examples: string[] } {
    const known = this.#faults.get(kind)
    if (known !== undefined) return known
    const fault = { count: 0, examples: [] }
    this.#faults.set(kind, fault)
    return fault
  }
}

import { DestinationError } from '../errors.ts'

/** Something that is wrong in a settings file. */
export interface SettingsProblem {
  readonly file: string
  /** undefined: the file as a whole. */
  readonly destination?: string
  /** undefined: the destination as a whole. */
  readonly field?: string
  /** Goes on from the name of the field; holds no secret. */
  readonly text: string
}

/** Makes one line of a problem. */
export type ProblemFormat = (problem: SettingsProblem) => string

/** One line: `/etc/jbfs/destinations.toml: [offsite] region is "eu": it must be …`. */
export function formatProblem({ file, destination, field, text }: SettingsProblem): string {
  const place = destination === undefined ? '' : ` [${destination}]`
  return `${file}:${place}${field === undefined ? '' : ` ${field}`} ${text}`
}

export function refuseProblems(
  problems: readonly SettingsProblem[],
  format: ProblemFormat = formatProblem,
): void {
  if (problems.length > 0)
    throw new DestinationError('bad-settings', problems.map((problem) => format(problem)).join('\n'))
}

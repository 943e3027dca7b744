/** Which leftovers are old enough to go. All in seconds since the epoch, or seconds. */
export interface AgeRule {
  readonly now: number
  /** What is younger may belong to a snapshot that is not published yet. */
  readonly grace: number
}

/** `future`: by a clock that is wrong, so that nothing is known of its age. */
export type Age = 'old' | 'young' | 'future'

/** `made`: epoch seconds. */
export function ageOf(made: number, { now, grace }: AgeRule): Age {
  if (made > now) return 'future'
  return now - made >= grace ? 'old' : 'young'
}

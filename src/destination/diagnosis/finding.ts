/** What is looked at, in this order: each rests on those before it. */
export const checks = [
  'host',
  'connection',
  'TLS',
  'clock',
  'keys',
  'region',
  'place',
  'list',
  'read',
  'owner',
  'write',
  'conditions',
  'versioning',
  'lifecycle',
] as const
export type Check = (typeof checks)[number]

/** `bad`: the destination cannot be used as it is meant to be. `doubtful`: it can, with a risk. `untried`: what comes before it failed. */
export type FindingState = 'good' | 'bad' | 'doubtful' | 'untried'

export interface Finding {
  readonly check: Check
  readonly state: FindingState
  /** One line; undefined: there is nothing to say. */
  readonly text: string | undefined
  /** What to do, one line. */
  readonly advice?: string | undefined
}

export function good(check: Check, text: string): Finding {
  return { check, state: 'good', text }
}

export function bad(check: Check, text: string, advice: string): Finding {
  return { check, state: 'bad', text, advice }
}

export function doubtful(check: Check, text: string, advice?: string): Finding {
  return { check, state: 'doubtful', text, advice }
}

/** `text`: why, if that is not what comes before it. */
export function untried(check: Check, text?: string): Finding {
  return { check, state: 'untried', text }
}

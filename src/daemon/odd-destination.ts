import type { ObjectReader } from '../store/object-store.ts'
import { type FirstRepository, firstRepository } from './first-repository.ts'

export interface OddOptions {
  /** Whoever begins a destination finds nothing there. */
  readonly mayBeEmpty: boolean
}

/**
 * One line when nothing in the first folders looks like a destination, as when the path is one too short, or of something else; undefined
 * when something does.
 */
export async function noticeOfOddDestination(
  reader: ObjectReader,
  { mayBeEmpty }: OddOptions,
): Promise<string | undefined> {
  // What cannot be listed tells nothing; whoever looks into it gets the error.
  const first: FirstRepository | undefined = await firstRepository(reader).catch(() => undefined)
  if (first === undefined || first.prefix !== undefined) return undefined
  if (mayBeEmpty && first.looks === 1) return undefined
  const where = first.looks > 1 ? `in its first ${first.looks} folders` : 'in it'
  return `this does not look like a destination: there is no snapshot ${where}; a destination holds <account>/snap.N, or <job>/<account>/snap.N`
}

import type { Random } from './random.ts'
import type { Text } from './text.ts'
import type { TreeWriter } from './tree-writer.ts'

/** The made-up customer, and what all parts of the account are written with. */
export interface SampleContext {
  readonly tree: TreeWriter
  readonly random: Random
  readonly text: Text
  readonly account: string
  readonly domain: string
  /** Seconds since 1970 of the backup: nothing in it is younger, but for the hard cases. */
  readonly created: number
}

/** One part of the account. It yields after each few files, where the writing may be interrupted. */
export type Part = Generator<void, void, void>

const threeYears = 3 * 365 * 86_400

/** Seconds since 1970 when something in the account was last changed: more of them lately than long ago. */
export function someTimeBefore({ random, created }: SampleContext): number {
  return created - random.logarithmic(600, threeYears)
}

/** Bytes of an ordinary file: most have 1 to 64 KiB, one in some hundred is a picture or an archive. */
export function ordinarySize(random: Random): number {
  return random.chance(0.004) ? random.integer(128 << 10, 2 << 20) : random.logarithmic(1 << 10, 64 << 10)
}

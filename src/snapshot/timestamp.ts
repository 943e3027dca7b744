import type { Timestamp } from './tree.ts'

/** Of epoch milliseconds; of a fraction of one nothing is kept. */
export function timestampOfMillis(millis: number): Timestamp {
  const seconds = Math.floor(millis / 1000)
  return { seconds, nanoseconds: Math.floor(millis - seconds * 1000) * 1_000_000 }
}

export function timestampNow(): Timestamp {
  return timestampOfMillis(Date.now())
}

import type { Blob, BlobSource } from '../cache/blob-source.ts'
import type { MaybePromise } from '../fuse/operations.ts'
import { type Stretch, zeroPieces } from './holes.ts'

/** Of more stretches a reply is put together in one buffer: reads and pieces by the thousand cost more than copying their bytes. */
const mostPieces = 64

/** The bytes of stretches of a file with holes, in order. */
export function readStretches(
  source: BlobSource,
  blob: Blob,
  stretches: readonly Stretch[],
  signal: AbortSignal,
): MaybePromise<readonly Uint8Array[]> {
  if (stretches.length > mostPieces) return assemble(source, blob, stretches, signal)
  const pieces = stretches.map(({ length, objectOffset }) =>
    objectOffset === undefined
      ? zeroPieces(length)
      : source.read(blob, { offset: objectOffset, length }, { signal }),
  )
  return pieces.some((piece) => piece instanceof Promise)
    ? Promise.all(pieces).then((all) => all.flat())
    : (pieces as (readonly Uint8Array[])[]).flat()
}

async function assemble(
  source: BlobSource,
  blob: Blob,
  stretches: readonly Stretch[],
  signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const bytes = Buffer.alloc(stretches.reduce((sum, { length }) => sum + length, 0))
  for (const { objectOffset, length, parts } of runsOf(stretches)) {
    const stored = Buffer.concat(
      await source.read(blob, { offset: objectOffset, length }, { signal, lend: true }),
    )
    let taken = 0
    for (const { at, length } of parts) {
      stored.copy(bytes, at, taken, taken + length)
      taken += length
    }
  }
  return [bytes]
}

/** Stretches that lie one behind the other in the object, as jbfs stores them. */
interface Run {
  readonly objectOffset: number
  length: number
  /** Where they go. */
  readonly parts: { readonly at: number; readonly length: number }[]
}

function runsOf(stretches: readonly Stretch[]): Run[] {
  const runs: Run[] = []
  let at = 0
  for (const { length, objectOffset } of stretches) {
    if (objectOffset !== undefined) {
      let run = runs.at(-1)
      if (run === undefined || run.objectOffset + run.length !== objectOffset) {
        run = { objectOffset, length: 0, parts: [] }
        runs.push(run)
      }
      run.parts.push({ at, length })
      run.length += length
    }
    at += length
  }
  return runs
}

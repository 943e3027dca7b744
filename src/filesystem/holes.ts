import type { Extent } from '../snapshot/tree.ts'
import type { ByteRange } from '../store/object-store.ts'

/** A stretch of a file: `length` bytes that lie at `objectOffset` of its object, or are a hole. */
export interface Stretch {
  readonly length: number
  readonly objectOffset: number | undefined
}

/**
 * Extents that end where the next begins, passed on the way to a hole. An index may have any number of them: then all that follows
 * counts as data, which a file system may always say of a hole.
 */
const mostAdjacent = 65_536

/** `range` of a file with these extents, cut into stored stretches and holes, in order and without gaps. */
export function stretchesOf(extents: Iterable<Extent>, range: ByteRange): Stretch[] {
  const stretches: Stretch[] = []
  const end = range.offset + range.length
  let at = range.offset
  for (const extent of extents) {
    const extentEnd = extent.offset + extent.length
    if (extentEnd <= at) continue
    if (extent.offset >= end) break
    if (extent.offset > at) stretches.push({ length: extent.offset - at, objectOffset: undefined })
    at = Math.max(at, extent.offset)
    const length = Math.min(end, extentEnd) - at
    stretches.push({ length, objectOffset: extent.objectOffset + at - extent.offset })
    at += length
  }
  if (at < end) stretches.push({ length: end - at, objectOffset: undefined })
  return stretches
}

/**
 * lseek(2) with SEEK_DATA or SEEK_HOLE: where the next data, or the next hole, begins at or behind `offset`; the end of the
 * file counts as a hole. undefined: there is none (ENXIO). `extents` undefined: the file has no holes.
 */
export function seek(
  want: 'data' | 'hole',
  offset: number,
  size: number,
  extents: Iterable<Extent> | undefined,
): number | undefined {
  if (offset >= size) return undefined
  const stored = extents ?? [{ offset: 0, length: size, objectOffset: 0 }]
  let hole = offset
  let passed = 0
  for (const extent of stored) {
    const end = extent.offset + extent.length
    if (end <= hole) continue
    if (want === 'data') return Math.max(offset, extent.offset)
    if (extent.offset > hole) break
    hole = end
    if (++passed === mostAdjacent) return size
  }
  return want === 'data' ? undefined : Math.min(hole, size)
}

const zeros = Buffer.alloc(1 << 20)

/** `length` bytes of a hole. Shared: never write to them. */
export function zeroPieces(length: number): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let left = length; left > 0; left -= zeros.length)
    pieces.push(zeros.subarray(0, Math.min(left, zeros.length)))
  return pieces
}

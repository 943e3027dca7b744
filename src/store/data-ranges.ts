import { lseekData, lseekHole } from '../base/libc.ts'
import type { ByteRange } from './object-store.ts'

/** st_blocks counts in these (stat(2)). */
export const sectorSize = 512

/** Where an open file has data, and no holes, by its `stat`; none in a file that is one hole. `within`: only a part of it. Throws `no-koffi` where only that could tell. */
export function dataRanges(
  fd: number,
  { size, blocks }: { readonly size: number; readonly blocks: number },
  within: ByteRange = { offset: 0, length: size },
): ByteRange[] {
  const limit = Math.min(size, within.offset + within.length)
  if (limit <= within.offset) return []
  const mayHaveHoles = blocks * sectorSize < size
  if (!mayHaveHoles) return [{ offset: within.offset, length: limit - within.offset }]
  const ranges: ByteRange[] = []
  for (let end = within.offset; end < limit; ) {
    const offset = lseekData(fd, end)
    if (offset === undefined || offset >= limit) break
    end = Math.min(limit, lseekHole(fd, offset) ?? limit)
    if (end <= offset) break
    ranges.push({ offset, length: end - offset })
  }
  return ranges
}

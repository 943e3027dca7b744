import { lseekData, lseekHole } from '../base/libc.ts'
import type { ByteRange } from './object-store.ts'

/** st_blocks counts in these (stat(2)). */
const sectorSize = 512

/** Where an open file has data, and no holes, by its `stat`; none in a file that is one hole. Throws `no-koffi` where only that could tell. */
export function dataRanges(
  fd: number,
  { size, blocks }: { readonly size: number; readonly blocks: number },
): ByteRange[] {
  if (size === 0) return []
  const mayHaveHoles = blocks * sectorSize < size
  if (!mayHaveHoles) return [{ offset: 0, length: size }]
  const ranges: ByteRange[] = []
  for (let end = 0; end < size; ) {
    const offset = lseekData(fd, end)
    if (offset === undefined) break
    end = Math.min(size, lseekHole(fd, offset) ?? size)
    if (end <= offset) break
    ranges.push({ offset, length: end - offset })
  }
  return ranges
}

import { chmodSync, closeSync, ftruncateSync, lstatSync, openSync, utimesSync, writeSync } from 'node:fs'
import { JbfsError } from '../base/errors.ts'
import type { HardCase } from './hard-case.ts'
import type { TreeWriter } from './tree-writer.ts'

const MiB = 1 << 20
const GiB = 1 << 30

interface Island {
  readonly offset: number
  readonly data: Buffer
}

/** Files with holes. All of their data together takes well under a mebibyte of disk. */
export const sparseCases: readonly HardCase[] = [
  {
    name: 'sparse',
    make: (tree, { created, random }) => {
      const island = (offset: number, length: number): Island => ({ offset, data: random.bytes(length) })
      const inTheMiddle = [island(64 << 10, 5_000), island(MiB + 123, 70_000), island(8 * MiB, 1)]
      writeSparse(tree, 'islands', 16 * MiB, inTheMiddle, created)
      const atTheEnds = [island(0, 4_096), island(4 * MiB - 100, 100)]
      writeSparse(tree, 'data-at-both-ends', 4 * MiB, atTheEnds, created)
      writeSparse(tree, 'only-a-hole', 2 * MiB, [], created)
    },
  },
  {
    name: 'sparse-large',
    make: (tree, { created, random }) => {
      const islands = [
        { offset: 0, data: random.bytes(10_000) },
        // Behind what 32 bits can count.
        { offset: 4 * GiB + 4_097, data: random.bytes(3_000) },
        { offset: 5 * GiB - 1, data: Buffer.from('.') },
      ]
      writeSparse(tree, '5-gib', 5 * GiB, islands, created)
    },
  },
]

function writeSparse(
  tree: TreeWriter,
  name: string,
  size: number,
  islands: readonly Island[],
  modified: number,
): void {
  const path = tree.at(name)
  const fd = openSync(path, 'wx')
  try {
    // Where a file system has no holes, lengthening this file may take all of its size, or fail with EFBIG.
    ftruncateSync(fd, size)
    for (const { offset, data } of islands) writeSync(fd, data, 0, data.length, offset)
  } finally {
    closeSync(fd)
  }
  chmodSync(path, 0o644)
  utimesSync(path, modified, modified)
  const onDisk = lstatSync(path).blocks * 512
  if (onDisk > size / 2) throw new JbfsError('not-kept', `holes take space here: ${onDisk} bytes of ${size}`)
  tree.count(path)
}

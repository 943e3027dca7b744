import test from 'ava'
import fc from 'fast-check'
import type { BlobSource } from '../../src/cache/blob-source.ts'
import type { Stretch } from '../../src/filesystem/holes.ts'
import { readStretches } from '../../src/filesystem/read-stretches.ts'
import { objectKey } from '../../src/store/object-store.ts'

const content = Buffer.from(Array.from({ length: 4096 }, (_, i) => 1 + (i % 255)))
const blob = { key: objectKey('object'), size: content.length }
const { signal } = new AbortController()

/** Counts what it is asked for. */
function source(): BlobSource & { asked: number } {
  return {
    asked: 0,
    read(_, { offset, length }) {
      const pieces = [content.subarray(offset, offset + length)]
      return this.asked++ % 2 === 0 ? pieces : Promise.resolve(pieces)
    },
    prefetch: () => 0,
  }
}

const stretch = fc.record({
  length: fc.integer({ min: 1, max: 9 }),
  objectOffset: fc.option(fc.nat(4000), { nil: undefined }),
})

test('stretches come back in order, few or many, wherever they lie', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(stretch, { maxLength: 200 }), async (stretches: Stretch[]) => {
      const expected = stretches.map(({ length, objectOffset }) =>
        objectOffset === undefined
          ? Buffer.alloc(length)
          : content.subarray(objectOffset, objectOffset + length),
      )
      const read = await readStretches(source(), blob, stretches, signal)
      t.deepEqual(Buffer.concat(read), Buffer.concat(expected))
    }),
  )
})

test('thousands of extents that are stored one after another are one read and one piece', async (t) => {
  const from = source()
  const stretches = Array.from({ length: 4096 }, (_, i) => [
    { length: 1, objectOffset: i },
    { length: 255, objectOffset: undefined },
  ]).flat()
  const read = await readStretches(from, blob, stretches, signal)
  t.is(from.asked, 1)
  t.is(read.length, 1)
  t.is(read[0]?.length, 1 << 20)
  t.is(read[0]?.[256], content[1])
})
